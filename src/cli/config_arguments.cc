#include "cli/config_arguments.h"

#include <cstdlib>
#include <iostream>

#include "server/settings.h"

namespace gnomon::cli {

void ConfigArguments::declare(Arguments& arguments) {
  arguments.text("--config", "FILE", "Settings in TOML; flags and GNOMON_… variables win", file);
  for (const server::Setting& setting : server::settings()) {
    if (setting.flag.empty()) continue;
    const std::string flag(setting.flag);
    arguments.option("--" + flag, std::string(setting.value), std::string(setting.help),
                     [this, flag](const std::string& text) {
                       flags.push_back({flag, text});
                       return std::string();
                     });
  }
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

server::Loaded ConfigArguments::load() const {
  return server::load_config(file, environment, flags);
}

void print_mistakes(const std::string& command, const std::vector<server::Mistake>& mistakes) {
  for (const server::Mistake& mistake : mistakes) {
    std::cerr << command << ": " << mistake.where << ": " << mistake.what << '\n';
  }
}

}  // namespace gnomon::cli
