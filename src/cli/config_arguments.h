// The settings of the server as arguments of a command: serve and check-config take the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "server/config.h"

namespace gnomon::cli {

// A variable of the environment of this process; nothing: it is not set.
[[nodiscard]] std::optional<std::string> environment(const std::string& name);

// What the command line says of the settings.
struct ConfigArguments {
  std::optional<std::string> file;
  std::vector<server::Flag> flags;

  // Declares --config and the flags of the settings that have one. Outlives arguments.read().
  void declare(Arguments& arguments);
  // Puts the configuration together from this, the environment and the file.
  [[nodiscard]] server::Loaded load() const;
};

// Prints the mistakes to standard error, one a line.
void print_mistakes(const std::string& command, const std::vector<server::Mistake>& mistakes);

}  // namespace gnomon::cli
