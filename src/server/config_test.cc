// Runs testdata/*.test: what is given, and what the loader makes of it.
//
//   case  NAME                 begins a case
//   file  TEXT                 a line of gnomon.toml
//   env   NAME=VALUE           flag  NAME=VALUE
//   wrong WHERE | WHAT         a mistake that must be reported, in this order; none else
//                              ("…" at the end: and some more words)
//   value KEY VALUE (ORIGIN)   a setting as it must come out
#include "server/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <unistd.h>

#include <doctest/doctest.h>

#include "server/settings.h"

namespace gnomon::server {
namespace {

struct Case {
  std::string name;
  std::optional<std::string> file;
  std::map<std::string, std::string> environment;
  std::vector<Flag> flags;
  std::vector<std::string> wrong, values;
};

std::pair<std::string, std::string> cut(const std::string& text, char at) {
  const std::size_t where = std::min(text.find(at), text.size());
  return {text.substr(0, where), text.substr(std::min(where + 1, text.size()))};
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto [word, padded] = cut(line, ' ');
    const std::string rest = padded.substr(std::min(padded.find_first_not_of(' '), padded.size()));
    if (word == "case") {
      cases.emplace_back().name = rest;
      continue;
    }
    REQUIRE_MESSAGE(!cases.empty(), line);
    Case& now = cases.back();
    const auto [name, value] = cut(rest, '=');
    if (word == "file")
      now.file = now.file.value_or("") + rest + '\n';
    else if (word == "env")
      now.environment[name] = value;
    else if (word == "flag")
      now.flags.push_back({name, value});
    else if (word == "wrong")
      now.wrong.push_back(rest);
    else if (word == "value")
      now.values.push_back(rest);
    else
      FAIL("unknown word in " << path << ": " << line);
  }
  return cases;
}

// A folder that goes with the test.
struct Folder {
  std::filesystem::path path = [] {
    std::string name = std::filesystem::temp_directory_path() / "gnomon-config-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    return std::filesystem::path(name);
  }();
  ~Folder() { std::filesystem::remove_all(path); }
};

void check(const Case& given, const std::filesystem::path& folder) {
  CAPTURE(given.name);
  const std::string prefix = folder.string() + '/';
  std::optional<std::string> path;
  if (given.file) {
    path = prefix + "gnomon.toml";
    std::ofstream(*path) << *given.file;
  }
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = given.environment.find(name);
    if (found == given.environment.end()) return std::nullopt;
    return found->second;
  };
  const Loaded loaded = load_config(path, environment, given.flags);

  const auto bare = [&](const std::string& where) {
    return where.starts_with(prefix) ? where.substr(prefix.size()) : where;
  };
  std::vector<std::string> wrong;
  for (const Mistake& mistake : loaded.mistakes)
    wrong.push_back(bare(mistake.where) + " | " + mistake.what);
  for (std::size_t i = 0; i < std::max(wrong.size(), given.wrong.size()); ++i) {
    std::string got = i < wrong.size() ? wrong[i] : "(none)";
    std::string expected = i < given.wrong.size() ? given.wrong[i] : "(none)";
    if (constexpr std::string_view more = "…"; expected.ends_with(more)) {
      expected.resize(expected.size() - more.size());
      got.resize(std::min(got.size(), expected.size()));
    }
    CHECK_EQ(got, expected);
  }

  REQUIRE(loaded.origins.size() == settings().size());
  for (const std::string& value : given.values) {
    const auto key = cut(value, ' ').first;
    const auto setting = std::ranges::find(settings(), std::string_view(key), &Setting::key);
    REQUIRE_MESSAGE(setting != settings().end(), key);
    const auto position = static_cast<std::size_t>(setting - settings().begin());
    CHECK_EQ(key + ' ' + setting->show(loaded.config) + " (" + bare(loaded.origins[position]) + ')',
             value);
  }
}

TEST_CASE("settings: data files") {
  const Folder folder;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("testdata")) {
    if (entry.path().extension() != ".test") continue;
    CAPTURE(entry.path().string());
    const std::vector<Case> cases = read_cases(entry.path());
    CHECK(!cases.empty());
    for (const Case& given : cases) check(given, folder.path);
    ++files;
  }
  CHECK(files > 0);
}

TEST_CASE("settings: a file that is not there, and one that is a folder") {
  const Environment none = [](const std::string&) { return std::nullopt; };
  for (const char* path : {"testdata/absent.toml", "testdata"}) {
    const Loaded loaded = load_config(path, none, {});
    REQUIRE(loaded.mistakes.size() == 1);
    CHECK(loaded.mistakes[0].where == path);
    CHECK(loaded.mistakes[0].what.starts_with("cannot be read: "));
    CHECK(loaded.config == Config{});
  }
}

TEST_CASE("settings: the table is whole") {
  for (const Setting& setting : settings()) {
    CAPTURE(setting.key);
    CHECK(!setting.help.empty());
    CHECK(!setting.help.ends_with('.'));
    CHECK(variable(setting).starts_with("GNOMON_"));
    // Every default is a value that its own reader takes, and changes nothing.
    Config config;
    CHECK(setting.read(config, setting.show(config)) == "");
    CHECK(config == Config{});
  }
}

}  // namespace
}  // namespace gnomon::server
