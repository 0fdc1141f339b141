// The commands of the program: one .cc each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::cli {

// What follows a command's name; returns the exit code: 0 done, 1 failed, 2 misuse.
using Words = std::span<const std::string>;

int serve(Words words);
int check_config(Words words);
int backup(Words words);
int restore(Words words);
int device(Words words);
std::vector<std::string_view> device_parts();  // "create", …
int ca(Words words);
std::vector<std::string_view> ca_parts();  // "create", …
int rehearse(Words words);
std::vector<std::string_view> rehearse_parts();  // "jitr", …
int policy(Words words);
std::vector<std::string_view> policy_parts();  // "explain"
int shadow(Words words);
std::vector<std::string_view> shadow_parts();  // "get", …
int search(Words words);
int env(Words words);
int aws(Words words);
int passwd(Words words);
int clients(Words words);
int client(Words words);
int kick(Words words);
int subscriptions(Words words);
int retained(Words words);
int trace(Words words);
int publish(Words words);
int subscribe(Words words);
int bench(Words words);
std::vector<std::string_view> bench_loads();  // "pairs", …
int completions(Words words);
int manual(Words words);

// Every command, in the order in which help lists them.
struct Command {
  std::string_view name;
  std::string_view purpose;
  int (*run)(Words words);
  // What its first word can be, if each has options of its own; null: they are the command's.
  std::vector<std::string_view> (*parts)() = nullptr;
};
[[nodiscard]] std::span<const Command> all_commands();

// Finds the command and runs it. `words`: the command line without the program's name.
int run(const std::vector<std::string>& words);

}  // namespace gnomon::cli
