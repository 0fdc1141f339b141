// gnomon check-config
#include <iostream>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "server/settings.h"

namespace gnomon::cli {

int check_config(Words words) {
  Arguments arguments("gnomon check-config [--config FILE] [options]",
                      "Tells every mistake in the settings at once, each with its place; if there "
                      "is none, prints what they come to and where each comes from.",
                      {"gnomon check-config --config gnomon.toml"});
  ConfigArguments given;
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;

  const server::Loaded loaded = given.load();
  print_mistakes("gnomon check-config", loaded.mistakes);
  if (!loaded.mistakes.empty()) return exit_misuse;
  std::size_t place = 0;
  for (const server::Setting& setting : server::settings()) {
    std::string line = std::string(setting.key) + " = " + setting.show(loaded.config);
    line.resize(std::max<std::size_t>(line.size() + 1, 40), ' ');
    std::cout << line << "# " << loaded.origins[place++] << '\n';
  }
  return exit_done;
}

}  // namespace gnomon::cli
