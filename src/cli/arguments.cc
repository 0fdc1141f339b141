#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>

namespace gnomon::cli {
namespace {

// "gnomon bench pairs" out of "gnomon bench pairs [options]".
std::string command_of(const std::string& usage) {
  std::istringstream words(usage);
  std::string command, word;
  while (words >> word && word.find_first_of("-[") == std::string::npos && word[0] >= 'a')
    command += (command.empty() ? "" : " ") + word;
  return command;
}

// "-t" and "--topic" out of "-t,--topic".
std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> all;
  std::istringstream text(names);
  for (std::string name; std::getline(text, name, ',');) all.push_back(name);
  return all;
}

}  // namespace

struct Arguments::State {
  CLI::App app;
  const std::shared_ptr<CLI::Formatter> formatter = std::make_shared<CLI::Formatter>();
  std::string usage, command, heading;
  std::vector<std::string> examples;
  bool has_h = false;  // the command's own -h
  struct Taker {
    std::vector<std::string> names;
    TakeWords take;
  };
  std::vector<Taker> takers;
  std::vector<std::string> with_value;  // names of options that take one word

  std::vector<std::string> take_words(std::span<const std::string> words, std::string& wrong);
  CLI::Option* add(const std::string& names, const std::string& placeholder,
                   const std::string& help, Take take);
};

Arguments::Arguments(std::string usage, std::string purpose, std::vector<std::string> examples)
    : state_(std::make_unique<State>()) {
  state_->command = command_of(usage);
  state_->usage = std::move(usage);
  state_->examples = std::move(examples);
  state_->app.description(std::move(purpose));
  state_->app.set_help_flag();
  state_->formatter->column_width(help_column);
  state_->heading = "Options";
}

Arguments::~Arguments() = default;

CLI::Option* Arguments::State::add(const std::string& names, const std::string& placeholder,
                                   const std::string& help, Take take) {
  if (names.starts_with("-h,")) has_h = true;
  for (std::string& name : split(names)) with_value.push_back(std::move(name));
  CLI::Option* option = app.add_option(
      names,
      [name = names.substr(names.rfind(',') + 1),
       take = std::move(take)](const CLI::results_t& values) {
        for (const std::string& value : values)
          if (const std::string wrong = take(value); !wrong.empty())
            throw CLI::ValidationError(name + " \"" + value + "\": " + wrong);
        return true;
      },
      help);
  return option->type_name(placeholder)->group(heading)->type_size(1)->expected(1);
}

void Arguments::group(const std::string& heading) { state_->heading = heading; }

void Arguments::flag(const std::string& names, bool& value, const std::string& help) {
  state_->app.add_flag(names, value, help)->group(state_->heading);
}

void Arguments::option(const std::string& names, const std::string& placeholder,
                       const std::string& help, Take take) {
  state_->add(names, placeholder, help, std::move(take));
}

void Arguments::options(const std::string& names, const std::string& placeholder,
                        const std::string& help, Take take) {
  state_->add(names, placeholder, help, std::move(take))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::words(const std::string& names, const std::string& placeholder,
                      const std::string& help, TakeWords take) {
  // CLI11 lists it; it takes no word that begins with a dash, so it does not read it.
  option(names, placeholder, help, [](const std::string&) { return std::string(); });
  state_->takers.push_back({split(names), std::move(take)});
}

// Reads the options of several words; returns the others.
std::vector<std::string> Arguments::State::take_words(std::span<const std::string> words,
                                                      std::string& wrong) {
  std::vector<std::string> rest;
  while (!words.empty() && wrong.empty()) {
    const std::string& word = words.front();
    words = words.subspan(1);
    const auto taker = std::ranges::find_if(takers, [&](const Taker& each) {
      return std::ranges::find(each.names, word) != each.names.end();
    });
    if (taker != takers.end()) {
      words = words.subspan(taker->take(words, wrong));
      if (!wrong.empty()) wrong = word + ' ' + wrong;
      continue;
    }
    rest.push_back(word);
    // The value of another option, whatever it looks like.
    if (!words.empty() && std::ranges::find(with_value, word) != with_value.end()) {
      rest.push_back(words.front());
      words = words.subspan(1);
    }
  }
  return rest;
}

void Arguments::text(const std::string& names, const std::string& placeholder,
                     const std::string& help, std::string& value) {
  option(names, placeholder, help, [&value](const std::string& given) {
    value = given;
    return std::string();
  });
}

void Arguments::text(const std::string& names, const std::string& placeholder,
                     const std::string& help, std::optional<std::string>& value) {
  option(names, placeholder, help, [&value](const std::string& given) {
    value = given;
    return std::string();
  });
}

std::optional<int> Arguments::read(std::span<const std::string> arguments) {
  bool help = false;
  state_->app.add_flag(state_->has_h ? "--help" : "-h,--help", help, "This text")->group("Options");
  std::string wrong;
  std::vector<std::string> rest = state_->take_words(arguments, wrong);
  if (!wrong.empty()) return misuse(wrong);
  try {
    std::ranges::reverse(rest);  // as CLI11 takes them
    state_->app.parse(std::move(rest));
  } catch (const CLI::ParseError& error) {
    if (!help) return misuse(error.what());
  }
  if (!help) return std::nullopt;
  std::string text = "Usage: " + state_->usage + "\n\n" + state_->app.get_description() + '\n';
  text += state_->formatter->make_groups(&state_->app, CLI::AppFormatMode::Normal);
  text += state_->examples.size() == 1 ? "\n\nExample:\n" : "\n\nExamples:\n";
  for (const std::string& example : state_->examples) text += "  " + example + '\n';
  // CLI11 ends each group with two empty lines.
  for (std::size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 1);
  return std::cout << text << std::flush ? exit_done : exit_failed;
}

int Arguments::misuse(const std::string& what) const {
  std::cerr << state_->command << ": " << what << "\nTry: " << state_->command << " --help\n";
  return exit_misuse;
}

std::string Arguments::read_number(const std::string& text, std::uint64_t least, std::uint64_t most,
                                   std::uint64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stopped == end && number >= least && number <= most) return "";
  return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace gnomon::cli
