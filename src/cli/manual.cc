// gnomon manual, gnomon completions: made from the tables of commands and settings.
#include <iostream>

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
      "drained.\n.SH EXIT STATUS\n0: done; 1: failed; 2: misuse.\n";
  return std::cout << page << std::flush ? exit_done : exit_failed;
}

int completions(Words words) {
  Arguments arguments("gnomon completions", "Prints what makes bash complete commands and options.",
                      {"source <(gnomon completions)"});
  if (const auto code = arguments.read(words)) return *code;
  std::string names;
  for (const Command& command : all_commands()) {
    (names += names.empty() ? "" : " ") += command.name;
  }
  // Options are those that the program's help names, so they are always those of the program.
  std::cout << "# bash completion for gnomon\n"
               "_gnomon() {\n"
               "  local word=${COMP_WORDS[COMP_CWORD]}\n"
               "  COMPREPLY=()\n"
               "  if ((COMP_CWORD == 1)); then\n"
               "    mapfile -t COMPREPLY < <(compgen -W '"
            << names
            << " --help --version' -- \"$word\")\n"
               "  elif [[ $word == -* ]]; then\n"
               "    local options\n"
               "    options=$(\"${COMP_WORDS[0]}\" \"${COMP_WORDS[1]}\" --help 2>/dev/null |\n"
               "      sed -nE 's/^  (-[^ ]+).*/\\1/p' | tr , '\\n')\n"
               "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
               "  else\n"
               "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
               "  fi\n"
               "}\n"
               "complete -o filenames -F _gnomon gnomon\n";
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
