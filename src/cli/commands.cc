#include "cli/commands.h"

#include <array>
#include <csignal>
#include <iostream>
#include <string_view>

#include "base/version.h"
#include "cli/arguments.h"

namespace gnomon::cli {

namespace {

constexpr auto commands = std::to_array<Command>({
    {"serve", "Run the server", serve},
    {"check-config", "Tell every mistake in the settings, and what they come to", check_config},
    {"backup", "Copy everything that is kept, while the server runs", backup},
    {"restore", "Make a data folder from a backup", restore},
    {"env", "Print what makes AWS's SDKs call this server", env},
    {"aws", "Run the aws command against this server", aws},
    {"device", "Make a device, with all that it needs to connect, or delete it", device,
     device_parts},
    {"ca", "Make an authority for devices, register it, list those that are", ca, ca_parts},
    {"rehearse", "Run an on-boarding of devices from one end to the other", rehearse,
     rehearse_parts},
    {"policy", "Tell what policies decide, and why", policy, policy_parts},
    {"shadow", "Read and change a device shadow, and what it was before", shadow, shadow_parts},
    {"search", "List the things that a query matches", search},
    {"passwd", "Set a user's password in a file", passwd},
    {"clients", "List clients: those that are connected, and sessions that are kept", clients},
    {"client", "Tell all about one client", client},
    {"kick", "End the connection of a client", kick},
    {"subscriptions", "List who subscribes to what", subscriptions},
    {"retained", "List the messages that are retained", retained},
    {"trace", "Print the packets of a client as they come and go", trace},
    {"pub", "Publish messages", publish},
    {"sub", "Print the messages of topics", subscribe},
    {"bench", "Put load on a broker and measure it", bench, bench_loads},
    {"completions", "Print what makes bash complete commands and options", completions},
    {"manual", "Print the manual page", manual},
});

std::string help() {
  std::string text =
      "Gnomon: serverless IoT that you run yourself.\n\n"
      "Usage: gnomon COMMAND [options]\n\nCommands:\n";
  for (const Command& command : commands) {
    std::string line = "  " + std::string(command.name);
    line.resize(18, ' ');
    text += line + std::string(command.purpose) + '\n';
  }
  return text +
         "\nOptions:\n"
         "  -h, --help      This text; after a command, its options\n"
         "  --version       The version\n\n"
         "Example:\n"
         "  gnomon serve\n";
}

}  // namespace

std::span<const Command> all_commands() { return commands; }

int run(const std::vector<std::string>& words) {
  // A closed pipe or connection is an error where it is written, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  if (words.empty()) {
    std::cerr << help();
    return exit_misuse;
  }
  const std::string& name = words.front();
  if (name == "--help" || name == "-h" || name == "help") {
    std::cout << help();
    return exit_done;
  }
  if (name == "--version") {
    std::cout << "gnomon " << version() << '\n';
    return exit_done;
  }
  for (const Command& command : commands) {
    if (command.name == name) return command.run(Words(words).subspan(1));
  }
  std::cerr << "gnomon: there is no command \"" << name << "\"\nTry: gnomon --help\n";
  return exit_misuse;
}

}  // namespace gnomon::cli
