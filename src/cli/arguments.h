// The arguments of one command. A façade: CLI11 is known to arguments.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::cli {

// Exit codes of every command.
constexpr int exit_done = 0, exit_failed = 1, exit_misuse = 2;

// Where the explanation of an option stands in a line of help, in bytes; a name that reaches so far
// has it in the next line.
constexpr std::size_t help_column = 34;

// Arguments: the options that a command takes, its help, and reading them.
// Names are as CLI11 writes them: "-t,--topic" for an option, "FILE" for a positional argument.
// Every command has --help, and -h unless it uses that for something else.
class Arguments {
 public:
  // `usage`: "gnomon pub -t TOPIC [options]"; `examples`: whole lines that can be pasted.
  Arguments(std::string usage, std::string purpose, std::vector<std::string> examples);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // Takes a value's text; returns "" or what is allowed instead ("must be …").
  using Take = std::function<std::string(const std::string& text)>;

  // The options declared from here on stand under this heading in the help.
  void group(const std::string& heading);
  void flag(const std::string& names, bool& value, const std::string& help);
  void option(const std::string& names, const std::string& placeholder, const std::string& help,
              Take take);
  // May be given several times.
  void options(const std::string& names, const std::string& placeholder, const std::string& help,
               Take take);
  // Takes several words, and may be given several times. `take` gets all that follows, and returns
  // how many it took, or says what is wrong.
  using TakeWords =
      std::function<std::size_t(std::span<const std::string> following, std::string& wrong)>;
  void words(const std::string& names, const std::string& placeholder, const std::string& help,
             TakeWords take);
  void text(const std::string& names, const std::string& placeholder, const std::string& help,
            std::string& value);
  void text(const std::string& names, const std::string& placeholder, const std::string& help,
            std::optional<std::string>& value);
  // A whole number within its bounds.
  template <class T>
  void number(const std::string& names, const std::string& placeholder, const std::string& help,
              T& value, std::uint64_t least, std::uint64_t most) {
    option(names, placeholder, help, [&value, least, most](const std::string& given) {
      std::uint64_t parsed = 0;
      std::string wrong = read_number(given, least, most, parsed);
      if (wrong.empty()) store(value, parsed);
      return wrong;
    });
  }

  // Reads. Nullopt: go on; else the exit code to end with (help was printed, or the mistake).
  [[nodiscard]] std::optional<int> read(std::span<const std::string> arguments);
  // Prints "gnomon pub: WHAT" and where to find help; returns exit_misuse.
  [[nodiscard]] int misuse(const std::string& what) const;

 private:
  template <class T>
  static void store(T& value, std::uint64_t number) {
    value = static_cast<T>(number);
  }
  template <class T>
  static void store(std::optional<T>& value, std::uint64_t number) {
    value = static_cast<T>(number);
  }
  static std::string read_number(const std::string& text, std::uint64_t least, std::uint64_t most,
                                 std::uint64_t& number);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gnomon::cli
