#include "server/config.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <system_error>

#include <toml++/toml.h>

#include "base/limits.h"
#include "server/settings.h"

namespace gnomon::server {
namespace {

// How many single-character changes lead from `a` to `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

// The known name that `given` was probably meant to be, as the end of a sentence.
std::string suggestion(std::string_view given) {
  std::string_view best;
  std::size_t least = 4;  // further off it is not a slip of the finger
  for (const Setting& setting : settings()) {
    const std::string_view name = setting.key;
    // A forgotten section ("shards") counts as near, too.
    const std::size_t dot = name.rfind('.');
    const bool last = dot != std::string_view::npos && name.substr(dot + 1) == given;
    const std::size_t changes = last ? 1 : distance(given, name);
    if (changes < least) {
      least = changes;
      best = name;
    }
  }
  return best.empty() ? "" : "; did you mean \"" + std::string(best) + "\"?";
}

// Errors: unavailable, with the reason of the system.
Result<std::string> whole_file(const std::string& path) {
  const auto fail = [] {
    return Error{Code::unavailable, "cannot be read: " + std::generic_category().message(errno)};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (!file) return fail();
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), file.get()))
    text.append(part.data(), got);
  if (std::ferror(file.get()) != 0) return fail();
  return text;
}

// Keys of more parts than this nest deeper than a thread's stack holds when they are many. Ours
// have two.
constexpr int key_parts_max = 8;

// The line of a key with too many parts, or 0. It counts dots between what ends a key, so in
// strings, too; none that means something has so many.
int line_of_deep_key(std::string_view text) {
  int line = 1, dots = 0;
  for (const char c : text) {
    if (c == '.' && ++dots >= key_parts_max) return line;
    if (std::string_view("=,{}[]#\"'\n").find(c) != std::string_view::npos) dots = 0;
    if (c == '\n') ++line;
  }
  return 0;
}

// Reads the sources in the order of their rank, so that what comes later replaces.
class Loader {
 public:
  Loader() { loaded_.origins.assign(settings().size(), "default"); }

  void read_file(const std::string& path);
  void read_text(const std::string& text, const std::string& path);
  void read_environment(const Environment& environment);
  void read_flags(const std::vector<Flag>& flags);
  Loaded take() {
    for (const Clash& clash : clashes(loaded_.config)) {
      const auto at = std::ranges::find(settings(), clash.key, &Setting::key);
      mistake(loaded_.origins[static_cast<std::size_t>(at - settings().begin())],
              std::string(clash.key) + ": " + clash.what);
    }
    return std::move(loaded_);
  }

 private:
  void read_table(const toml::table& table, const std::string& prefix, const std::string& path);
  void read_node(const std::string& key, const toml::node& node, const std::string& where);
  void read(const Setting& setting, std::string_view text, const std::string& where,
            const std::string& shown);
  void mistake(const std::string& where, std::string what) {
    loaded_.mistakes.push_back({where, std::move(what)});
  }

  Loaded loaded_;
};

void Loader::read(const Setting& setting, std::string_view text, const std::string& where,
                  const std::string& shown) {
  if (std::string wrong = setting.read(loaded_.config, text); !wrong.empty())
    mistake(where, shown + ": " + wrong);
  else
    loaded_.origins[static_cast<std::size_t>(&setting - settings().data())] = where;
}

void Loader::read_node(const std::string& key, const toml::node& node, const std::string& where) {
  const auto found = std::ranges::find(settings(), std::string_view(key), &Setting::key);
  if (found == settings().end())
    return mistake(where, "unknown setting \"" + key + "\"" + suggestion(key));
  const Setting& setting = *found;
  switch (setting.form) {
    case Setting::Form::text:
      if (const auto* text = node.as_string())
        return read(setting, text->get(), where, key + " = \"" + text->get() + '"');
      return mistake(where, key + ": must be a string, in quotes");
    case Setting::Form::integer:
      if (const auto* number = node.as_integer()) {
        const std::string text = std::to_string(number->get());
        return read(setting, text, where, key + " = " + text);
      }
      return mistake(where, key + ": must be a whole number, without quotes");
    case Setting::Form::boolean:
      if (const auto* truth = node.as_boolean())
        return read(setting, truth->get() ? "true" : "false", where, key);
      return mistake(where, key + ": must be true or false, without quotes");
  }
}

void Loader::read_table(const toml::table& table, const std::string& prefix,
                        const std::string& path) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const std::string where = path + ':' + std::to_string(name.source().begin.line);
    const bool section = std::ranges::any_of(
        settings(), [&](const Setting& setting) { return setting.key.starts_with(key + '.'); });
    if (const auto* inner = node.as_table(); inner && (section || !inner->empty()))
      read_table(*inner, key + '.', path);
    else if (section)
      mistake(where, key + ": is a section; write [" + key + "]");
    else
      read_node(key, node, where);
  }
}

void Loader::read_file(const std::string& path) {
  const Result<std::string> text = whole_file(path);
  if (!text) return mistake(path, text.error().message);
  read_text(*text, path);
}

void Loader::read_text(const std::string& text, const std::string& path) {
  if (text.size() > limits::settings_bytes_max) return mistake(path, "is larger than 1 MiB");
  if (const int line = line_of_deep_key(text); line > 0) {
    return mistake(path + ':' + std::to_string(line), "a key has more than 8 parts");
  }
  const std::size_t before = loaded_.mistakes.size();
  try {
    read_table(toml::parse(text, path), "", path);
  } catch (const toml::parse_error& error) {
    mistake(path + ':' + std::to_string(error.source().begin.line),
            "not TOML: " + std::string(error.description()));
  }
  // The parser gives a table's keys by name; people read from the top.
  auto& all = loaded_.mistakes;
  std::multimap<long, Mistake> by_line;
  for (std::size_t i = before; i < all.size(); ++i) {
    const long line = std::strtol(all[i].where.c_str() + path.size() + 1, nullptr, 10);
    by_line.emplace(line, std::move(all[i]));
  }
  all.resize(before);
  for (auto& [line, mistake] : by_line) all.push_back(std::move(mistake));
}

void Loader::read_environment(const Environment& environment) {
  for (const Setting& setting : settings()) {
    const std::string name = variable(setting);
    // An empty variable is one that somebody wanted to be away ("GNOMON_DATA= gnomon serve").
    if (const auto text = environment(name); text && !text->empty())
      read(setting, *text, name, '"' + *text + '"');
  }
}

void Loader::read_flags(const std::vector<Flag>& flags) {
  for (const Flag& flag : flags) {
    const std::string where = "--" + flag.name;
    const auto found =
        flag.name.empty()
            ? settings().end()
            : std::ranges::find(settings(), std::string_view(flag.name), &Setting::flag);
    if (found == settings().end())
      mistake(where, "unknown flag");
    else
      read(*found, flag.value, where, '"' + flag.value + '"');
  }
}

}  // namespace

Loaded load_config(const std::optional<std::string>& toml_path, const Environment& environment,
                   const std::vector<Flag>& flags) {
  Loader loader;
  if (toml_path) loader.read_file(*toml_path);
  loader.read_environment(environment);
  loader.read_flags(flags);
  return loader.take();
}

Loaded load_config_text(const std::string& toml, const std::string& name) {
  Loader loader;
  loader.read_text(toml, name);
  return loader.take();
}

std::string suggest_setting(std::string_view variable_name) {
  std::string_view best;
  std::size_t least = 4;
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Setting& setting : settings()) all.push_back(variable(setting));
    return all;
  }();
  for (const std::string& name : names) {
    if (const std::size_t changes = distance(variable_name, name); changes < least) {
      least = changes;
      best = name;
    }
  }
  return std::string(best);
}

}  // namespace gnomon::server
