// gnomon manual, gnomon completions: made from the tables of commands and settings.
#include <algorithm>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/version.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "server/settings.h"

namespace gnomon::cli {

namespace {

// Text for roff: a line does not begin with a request, and dashes and backslashes are themselves.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

// What a command prints when it is asked for help.
std::string help_of(const Command& command, std::string_view part) {
  std::vector<std::string> words;
  if (!part.empty()) words.emplace_back(part);
  words.emplace_back("--help");
  std::ostringstream text;
  std::streambuf* const before = std::cout.rdbuf(text.rdbuf());
  command.run(words);
  std::cout.rdbuf(before);
  return text.str();
}

// What a command's help says of its options: each with its placeholder, and what it means.
std::vector<std::pair<std::string, std::string>> options_of(const std::string& help) {
  std::vector<std::pair<std::string, std::string>> all;
  const std::string indent(help_column, ' ');
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(indent) && !all.empty()) {  // the line above was the name alone
      all.back() = {all.back().first + all.back().second, line.substr(help_column)};
    } else if (line.starts_with("  -")) {
      const std::size_t column = std::min(line.size(), help_column);
      all.emplace_back(line.substr(2, column - 2), line.substr(column));
    }
  }
  for (auto& [name, meaning] : all) name.resize(name.find_last_not_of(' ') + 1);
  return all;
}

// A section for a command or a part of it; "" if it has no options but help. What it shares with a
// part before is in `shown`.
std::string options_section(const Command& command, std::string_view part,
                            std::set<std::string>& shown) {
  std::string rows;
  for (const auto& [name, meaning] : options_of(help_of(command, part))) {
    if (name.ends_with("--help") || !shown.insert(name + meaning).second) continue;
    rows += ".TP\n.B " + roff(name) + '\n' + roff(meaning) + ".\n";
  }
  if (rows.empty()) return "";
  return ".SS gnomon " + roff(command.name) + (part.empty() ? "" : " ") + roff(part) + '\n' + rows;
}

}  // namespace

int manual(Words words) {
  Arguments arguments("gnomon manual", "Prints the manual page.",
                      {"gnomon manual > gnomon.1", "gnomon manual | man -l -"});
  if (const auto code = arguments.read(words)) return *code;
  std::string page = ".TH GNOMON 1 \"\" \"gnomon " + std::string(version()) +
                     "\" \"Gnomon\"\n.SH NAME\ngnomon \\- serverless IoT that you run yourself: an "
                     "MQTT broker\n.SH SYNOPSIS\n.B gnomon\n.I COMMAND\n[options]\n"
                     ".SH COMMANDS\nEach has\n.B \\-\\-help\nwith its options and an example.\n";
  for (const Command& command : all_commands()) {
    page += ".TP\n.B gnomon " + roff(command.name) + '\n' + roff(command.purpose) + ".\n";
  }
  page +=
      ".SH OPTIONS\nWhat a load of\n.B gnomon bench\nshares with those before it is not "
      "repeated.\n";
  for (const Command& command : all_commands()) {
    std::set<std::string> shown;
    const auto parts = command.parts ? command.parts() : std::vector<std::string_view>{""};
    for (const std::string_view part : parts) page += options_section(command, part, shown);
  }
  page +=
      ".SH SETTINGS\nOf\n.B gnomon serve\nand\n.BR \"gnomon check\\-config\" .\nA flag wins over "
      "the environment, that over the file of\n.BR \\-\\-config .\n";
  for (const server::Setting& setting : server::settings()) {
    page += ".TP\n.BI " + roff(setting.key) + " \" = " + roff(setting.value) + "\"\n" +
            roff(setting.help) + ".\n";
    page += "Environment:\n.BR " + roff(variable(setting)) + ".\n";
    if (!setting.flag.empty()) page += "Flag:\n.BR \\-\\-" + roff(setting.flag) + ".\n";
    page += "Default:\n.BR \"" + roff(setting.show(server::Config())) + "\" .\n";
  }
  page +=
      ".SH FILES\n.TP\n.I /etc/gnomon/gnomon.toml\nSettings of the service.\n.TP\n"
      ".I /var/lib/gnomon\nWhat the service keeps.\n"
      ".SH SIGNALS\nSIGTERM and SIGINT stop the server: MQTT 5 clients are told, output is "
      "drained. SIGHUP: certificates, keys and passwords are read again.\n.SH EXIT STATUS\n0: "
      "done; 1: failed; 2: misuse.\n";
  return std::cout << page << std::flush ? exit_done : exit_failed;
}

int completions(Words words) {
  Arguments arguments("gnomon completions", "Prints what makes bash complete commands and options.",
                      {"source <(gnomon completions)"});
  if (const auto code = arguments.read(words)) return *code;
  std::string names, parts;
  for (const Command& command : all_commands()) {
    (names += names.empty() ? "" : " ") += command.name;
    if (command.parts == nullptr) continue;
    parts += "    [" + std::string(command.name) + "]='";
    for (const std::string_view part : command.parts()) parts += std::string(part) + ' ';
    parts.back() = '\'';
    parts += '\n';
  }
  // Options are those that the program's help names, so they are always those of the program.
  std::cout
      << "# bash completion for gnomon\n"
         "_gnomon() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]}\n"
         "  local command=${COMP_WORDS[1]} part=${COMP_WORDS[2]-}\n"
         "  local -A parts=(\n"
      << parts
      << "  )\n"
         "  COMPREPLY=()\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    mapfile -t COMPREPLY < <(compgen -W '"
      << names
      << " --help --version' -- \"$word\")\n"
         "  elif [[ $word == -* ]]; then\n"
         "    local options\n"
         "    [[ \" ${parts[$command]-} \" == *\" $part \"* ]] || part=\n"
         "    options=$(\"${COMP_WORDS[0]}\" \"$command\" ${part:+\"$part\"} --help 2>/dev/null "
         "|\n"
         "      sed -nE 's/^  (-[^ ]+).*/\\1/p' | tr , '\\n')\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
         "  elif ((COMP_CWORD == 2)) && [[ -n ${parts[$command]-} ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"${parts[$command]}\" -- \"$word\")\n"
         "  else\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _gnomon gnomon\n";
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
