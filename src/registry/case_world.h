// Case files of the registry, as testdata/*.test hold them: a command a line, and what it answers.
//
//   case a thing is created once
//   create-thing lamp a=1 --type=bulb
//   @ $aws/events/thing/lamp/created       an event that goes out
//   ~ everyone                             whose permissions may be others: their names, or
//   everyone = lamp version=1                       a line of what it returns . it returns nothing,
//   and nothing follows from it ! VersionConflictException id          the error; with the resource
//   it names, if it does
//
// A command that is followed by none of these must succeed, whatever it returns. Words with "--"
// are options, with "=" attributes. `~` within a word is an ARN up to its account; `$name` is the
// id of a certificate that a command was told to call so (--as=name).
#pragma once

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "records/value.h"
#include "registry/page.h"
#include "registry/registry_fixture.h"
#include "registry/stored.h"
#include "registry/tables.h"
#include "registry/things.h"

namespace gnomon::registry {

// A command: its positional words, options and attributes.
struct Command {
  std::vector<std::string> words;
  std::map<std::string, std::string> options;
  Attributes attributes;

  [[nodiscard]] std::string word(std::size_t at) const {
    return at < words.size() ? words[at] : "";
  }
  [[nodiscard]] bool has(const std::string& name) const { return options.contains(name); }
  [[nodiscard]] std::string option(const std::string& name) const {
    const auto it = options.find(name);
    return it == options.end() ? "" : it->second;
  }
  [[nodiscard]] std::optional<std::string> maybe(const std::string& name) const {
    return has(name) ? std::optional(option(name)) : std::nullopt;
  }
  [[nodiscard]] int number(const std::string& name) const {
    int number = 0;
    const std::string text = option(name);
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  [[nodiscard]] std::optional<std::uint64_t> version() const {
    if (!has("version")) return std::nullopt;
    return static_cast<std::uint64_t>(number("version"));
  }
};

// World: the registry of one case, and the names that the case uses.
class World {
 public:
  using Handler = std::function<void(World&, const Command&)>;
  using Handlers = std::map<std::string, Handler>;

  Fixture fixture;
  Registry& registry = fixture.registry;
  std::map<std::string, std::string> texts;                 // what `$name` is
  std::string next_token;                                   // of the last page; --next goes on
  std::map<std::string, crypto::Authority> authorities;     // CAs outside of the registry
  std::map<std::string, crypto::Certificate> certificates;  // and certificates

  [[nodiscard]] PageRequest page(const Command& command) const {
    return {command.number("limit"), command.has("next") ? next_token : command.option("token")};
  }

  void say(const std::string& line) { answer_.push_back("= " + line); }
  void fail(const Failure& failure) {
    std::string line = "! " + std::string(to_string(failure.kind));
    if (!failure.resource_id.empty()) line += ' ' + shorten(failure.resource_id);
    CHECK(failure.resource_id.empty() == failure.resource_arn.empty());
    CHECK_FALSE(failure.message.empty());
    answer_.push_back(line);
  }
  // What a change has done; true if it was done.
  template <class T>
  bool done(const Written<T>& written) {
    if (!written) {
      fail(written.error());
      return false;
    }
    for (const Event& event : written->effects.events) answer_.push_back("@ " + event.topic);
    std::set<std::string> names;
    for (const std::string& id : written->effects.principals) names.insert(shorten(id));
    std::string touched;
    for (const std::string& name : names) touched += ' ' + name;
    if (written->effects.everyone) touched = " everyone";
    if (!touched.empty()) answer_.push_back("~" + touched);
    return true;
  }
  template <class T>
  bool done(const Reply<T>& reply) {
    if (!reply) fail(reply.error());
    return reply.ok();
  }
  // A page, in one line for each item.
  template <class T, class F>
  void list(const Reply<Page<T>>& page, F&& text, bool sorted = false) {
    if (!done(page)) return;
    std::vector<std::string> lines;
    for (const T& item : page->items) lines.push_back(shorten(text(item)));
    if (sorted) std::ranges::sort(lines);  // ids are random, and so is their order
    for (const std::string& line : lines) say(line);
    if (page->items.empty()) say("nothing");
    if (!page->next_token.empty()) say("more");
    next_token = page->next_token;
  }

  // Ids and ARNs by the names that the case has for them.
  [[nodiscard]] std::string shorten(std::string text) const {
    const auto replace = [&text](std::string_view what, const std::string& by) {
      for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
    };
    for (const auto& [name, value] : texts)
      if (!value.empty()) replace(value, "$" + name);
    replace("arn:aws:iot:us-east-1:123456789012:", "~");
    return text;
  }
  [[nodiscard]] std::string expand(const std::string& word) const {
    std::string out;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (word[i] == '~') {
        out += "arn:aws:iot:us-east-1:123456789012:";
        continue;
      }
      std::size_t end = i + 1;
      while (end < word.size() && std::isalnum(static_cast<unsigned char>(word[end])) != 0) ++end;
      const auto text = texts.find(word.substr(i + 1, end - i - 1));
      if (word[i] == '$' && text != texts.end()) {
        out += text->second;
        i = end - 1;
      } else {
        out += word[i];
      }
    }
    return out;
  }

  // Runs a command as often as it calls the store, and each time another call fails: it says so,
  // and nothing is written. Then all is as it was before.
  void rehearse(const Handlers& handlers, const std::string& line) {
    const auto before = fixture.content();
    const auto names = texts;
    const auto token = next_token;
    const ManualWallClock clock = fixture.clock;
    for (int calls = 0;; ++calls) {
      fixture.store.fail_after(calls);
      const auto said = run(handlers, line);
      const bool failed = !fixture.store.relent();
      const bool refused =
          !said.empty() && said.back().starts_with("! ServiceUnavailableException");
      if (refused) CHECK_MESSAGE(same(before, fixture.content()), line);
      // After the change, when it was looked for whom it concerns: then for all.
      if (failed && !refused)
        CHECK_MESSAGE(std::ranges::find(said, "~ everyone") != said.end(), line);
      fixture.restore(before);
      fixture.clock = clock;
      texts = names;
      next_token = token;
      if (!failed) break;
    }
  }

  std::vector<std::string> run(const Handlers& handlers, const std::string& line) {
    answer_.clear();
    std::istringstream in(line);
    std::string name, word;
    in >> name;
    Command command;
    while (in >> word) add(command, expand(word));
    const auto handler = handlers.find(name);
    REQUIRE_MESSAGE(handler != handlers.end(), "there is no command " << name);
    handler->second(*this, command);
    return answer_;
  }

 private:
  // The same but for what means nothing by itself: the registration code that a command asks for
  // on its way, and the mark of a policy that is about to be deleted.
  static bool same(Content a, Content b) {
    for (Content* content : {&a, &b}) {
      content->erase(std::string(key(Table::setting, "registration code").view()));
      for (auto& [name, value] : *content) {
        stored::Policy policy;
        if (static_cast<Table>(name[0]) != Table::policy || !records::read(value, policy)) continue;
        policy.closing = false;
        value = records::write(policy);
      }
    }
    return a == b;
  }

  static void add(Command& command, const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (word.starts_with("--")) {
      command.options[name.substr(2)] = value;
    } else if (equals != std::string::npos) {
      command.attributes[name] = value;
    } else {
      command.words.push_back(word);
    }
  }

  std::vector<std::string> answer_;
};

inline std::string text_of(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) text += ' ' + name + '=' + value;
  return text;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "  " + line + '\n';
  return text;
}

// Runs a case file; `failing`: with each command rehearsed before.
inline void run_cases(const std::string& path, const World::Handlers& handlers,
                      bool failing = false) {
  std::ifstream in(path);
  REQUIRE_MESSAGE(in, "run in src/registry: there is no " << path);
  std::unique_ptr<World> world;
  std::vector<std::string> answer, expected;
  std::string what, line, title;
  const auto check = [&] {
    if (what.empty()) return;
    const bool failed = !answer.empty() && answer[0].starts_with('!');
    if (answer.empty()) answer.push_back(".");
    if (!expected.empty() || failed)
      CHECK_MESSAGE(answer == expected, path << ": " << title << "\n"
                                             << what << "\n"
                                             << joined(answer));
    what.clear();
    expected.clear();
  };
  int cases = 0;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("case ")) {
      check();
      world = std::make_unique<World>();
      title = line.substr(5);
      ++cases;
    } else if (std::string_view(".=!@~").find(line[0]) != std::string_view::npos) {
      expected.push_back(line);
    } else {
      check();
      what = std::to_string(number) + ": " + line;
      REQUIRE(world != nullptr);
      if (failing) world->rehearse(handlers, line);
      answer = world->run(handlers, line);
    }
  }
  check();
  CHECK(cases > 0);
}

}  // namespace gnomon::registry
