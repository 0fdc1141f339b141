// gnomon env, gnomon aws: what makes AWS's SDKs and the aws command call this server.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"

namespace gnomon::cli {

namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

Variables variables_of(const ApiServer& server) {
  return {{"AWS_ENDPOINT_URL", server.url},
          {"AWS_ACCESS_KEY_ID", server.access_key_id},
          {"AWS_SECRET_ACCESS_KEY", server.secret},
          {"AWS_REGION", server.region},
          {"AWS_DEFAULT_REGION", server.region},  // what aws itself reads
          {"AWS_CA_BUNDLE", server.ca}};
}

// What would win over these, or not go with them.
constexpr const char* unwanted[] = {"AWS_SESSION_TOKEN", "AWS_PROFILE"};

// One word of a shell. `escaped`: what stands for a quote within quotes.
std::string quoted(const std::string& text, std::string_view escaped) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '\'';
}

// In fish a backslash is special within quotes, too.
std::string quoted_for_fish(const std::string& text) {
  std::string doubled;
  for (const char c : text) doubled.append(c == '\\' ? 2 : 1, c);
  return quoted(doubled, "\\'");
}

std::string for_sh(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables)
    text += "export " + name + '=' + quoted(value, "'\\''") + '\n';
  text += "unset";
  for (const char* name : unwanted) (text += ' ') += name;
  // aws before 2.13 (Debian 12 has 2.9) does not know AWS_ENDPOINT_URL.
  return text + "\naws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }\n";
}

std::string for_fish(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables)
    text += "set -gx " + name + ' ' + quoted_for_fish(value) + '\n';
  text += "set -e";
  for (const char* name : unwanted) (text += ' ') += name;
  return text +
         "\nfunction aws --wraps aws; command aws --endpoint-url $AWS_ENDPOINT_URL $argv; end\n";
}

std::string for_json(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables)
    text += (text.empty() ? "{" : ",") + json_text(name) + ':' + json_text(value);
  return text + "}\n";
}

std::string for_docker(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables) text += name + '=' + value + '\n';
  return text;
}

using Format = std::string (*)(const Variables&);
constexpr std::pair<std::string_view, Format> formats[] = {
    {"sh", for_sh}, {"fish", for_fish}, {"json", for_json}, {"env", for_docker}};

int fail(const char* command, const std::string& what) {
  std::cerr << command << ": " << what << '\n';
  return exit_failed;
}

// Which of the words is the first for aws; the others are ours.
std::size_t first_for_aws(Words words) {
  std::size_t at = 0;
  while (at < words.size()) {
    if (words[at] == "--data" && at + 1 < words.size()) {
      at += 2;
    } else if (words[at].starts_with("--data=") || words[at] == "--help" || words[at] == "-h") {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// Becomes aws. Returns only if that cannot be, with the reason.
std::string become_aws(const ApiServer& server, Words words) {
  for (const auto& [name, value] : variables_of(server)) ::setenv(name.c_str(), value.c_str(), 1);
  for (const char* name : unwanted) ::unsetenv(name);
  std::vector<std::string> line{"aws", "--endpoint-url", server.url};
  line.insert(line.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : line) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp("aws", arguments.data());
  if (errno == ENOENT) {
    return "there is no command aws on the PATH: install it (Debian: awscli), or take \"gnomon "
           "env\" and any SDK of AWS";
  }
  return std::string("aws cannot be run: ") + std::strerror(errno);
}

}  // namespace

int env(Words words) {
  ApiArguments api;
  bool tls = false;
  Format format = for_sh;
  Arguments arguments(
      "gnomon env [options]",
      "Prints what makes AWS's SDKs and the aws command call the server that runs "
      "on this machine, with its first key. It is a secret.",
      {"eval \"$(gnomon env)\" && aws iot list-things", "gnomon env --format fish | source",
       "gnomon env --format env > server.env"});
  api.declare(arguments, false);
  arguments.flag("--tls", tls, "The listener https, also if http is on");
  arguments.option("--format", "FORMAT",
                   "For whom: sh (the default), fish, json, or env (NAME=VALUE, for docker run "
                   "--env-file)",
                   [&](const std::string& text) -> std::string {
                     for (const auto& [name, print] : formats) {
                       if (name == text) format = print;
                       if (name == text) return "";
                     }
                     return "must be one of sh, fish, json, env";
                   });
  if (const auto code = arguments.read(words)) return *code;
  set_log_level(LogLevel::error);
  const auto server = api.find(tls);
  if (!server) return fail("gnomon env", server.error().message);
  return std::cout << format(variables_of(*server)) << std::flush ? exit_done : exit_failed;
}

int aws(Words words) {
  ApiArguments api;
  Arguments arguments(
      "gnomon aws [--data DIR] ...",
      "Runs the aws command against the server that runs on this machine, with "
      "its first key. All that follows is for aws.",
      {"gnomon aws iot list-things", "gnomon aws --data /var/lib/gnomon iot describe-endpoint"});
  api.declare(arguments, false);
  const std::size_t count = first_for_aws(words);
  if (const auto code = arguments.read(words.first(count))) return *code;
  if (count == words.size()) return arguments.misuse("what aws is to do is missing");
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail("gnomon aws", server.error().message);
  return fail("gnomon aws", become_aws(*server, words.subspan(count)));
}

}  // namespace gnomon::cli
