// gnomon check-config
#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "server/secrets.h"
#include "server/settings.h"

namespace gnomon::cli {

namespace {

// A variable that looks like a setting and is none may be a slip of the finger; it may also be
// somebody else's, so it is no mistake.
void tell_unknown_variables() {
  constexpr std::string_view ours = "GNOMON_";
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text(*each);
    const std::string name(text.substr(0, text.find('=')));
    const auto is = [&](const server::Setting& setting) { return variable(setting) == name; };
    if (name == server::access_key_id_variable || name == server::secret_access_key_variable)
      continue;
    if (!name.starts_with(ours) || std::ranges::any_of(server::settings(), is)) continue;
    const std::string near = server::suggest_setting(name);
    std::cerr << "gnomon check-config: note: " << name << " is no setting"
              << (near.empty() ? "" : "; did you mean " + near + "?") << '\n';
  }
}

}  // namespace

int check_config(Words words) {
  Arguments arguments("gnomon check-config [--config FILE] [options]",
                      "Tells every mistake in the settings at once, each with its place; if there "
                      "is none, prints what they come to and where each comes from.",
                      {"gnomon check-config --config gnomon.toml"});
  ConfigArguments given;
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;

  tell_unknown_variables();
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
