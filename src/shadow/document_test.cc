// Runs testdata/*.test, one shadow of the thing `lamp` in each case.
//
//   at 100                        it is 100 s since 1970; 1000 else
//   limits 8192 8                 bytes of state, names inside each other
//   update {…}                    the payload of an update; bytes 7b…: in hexadecimal
//   set {"desired":…}             update {"state":…}, which is accepted
//   restore {"desired":…}         the state becomes what it was
//   get {…}, delete {…}           the payload, or nothing
//   accepted {…}, rejected 400 …  what came of the last request; told {…}: the whole rejection
//   delta {…}, documents {…}      what else it told; none
//   difference {…}                the state of the delta
//   state {…}, metadata {…}, version 2   what a get tells now; version none: there is none
//
// And what holds for any sequence of updates.
#include "shadow/document.h"

#include <map>
#include <optional>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/cases.h"
#include "base/limits.h"
#include "base/random.h"
#include "records/value.h"

namespace gnomon::shadow {
namespace {

namespace bj = boost::json;

constexpr Limits usual{limits::shadow_request_bytes, limits::shadow_state_bytes,
                       limits::shadow_depth};

// World: one shadow, stored as a record between requests.
class World {
 public:
  void update(std::string_view text) {
    Token token;
    const auto read = read_update(text, limits, token);
    if (!read) return reject(read.error(), token);
    take(shadow::update(load(), *read, token, now, limits), token);
  }
  void restore(const bj::value& earlier) {
    take(shadow::update(load(), restoring(load(), earlier), {}, now, limits), {});
  }
  void remove(std::string_view text) {
    const Token token = token_of_delete(text, limits);
    take(shadow::remove(load(), token, now, "lamp"), token);
  }
  void get(std::string_view text) {
    clear();
    const auto token = read_get(text, limits);
    if (!token) return reject(token.error(), {});
    const auto document = shadow::get(load(), *token, now, "lamp");
    if (!document) return reject(document.error(), *token);
    accepted = *document;
  }
  [[nodiscard]] Document load() const {
    Document document;
    if (!stored.empty()) REQUIRE(records::read(stored, document));
    return document;
  }

  Limits limits = usual;
  Seconds now = 1000;
  std::string stored;
  std::optional<Rejection> rejection;
  std::string accepted, delta, documents, told, change, state;

 private:
  void clear() {
    rejection.reset();
    for (std::string* text : {&accepted, &delta, &documents, &told, &change, &state}) text->clear();
  }
  void reject(const Rejection& why, const Token& token) {
    clear();
    rejection = why;
    told = rejected(why, token);
  }
  void take(const Answer<Changed>& changed, const Token& token) {
    if (!changed) return reject(changed.error(), token);
    clear();
    stored = records::write(changed->document);
    accepted = changed->accepted;
    delta = changed->delta;
    documents = changed->documents;
    change = changed->change;
    state = changed->state;
  }
};

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(at, 2), nullptr, 16));
  return bytes;
}

// Does what a line says, or checks it.
class Runner {
 public:
  void run(const Row& row) {
    if (row.word == "at") {
      world_.now = std::stoull(row.rest);
    } else if (row.word == "limits") {
      const std::size_t blank = row.rest.find(' ');
      world_.limits.state_bytes = std::stoull(row.rest.substr(0, blank));
      world_.limits.depth = std::stoi(row.rest.substr(blank));
    } else if (row.word == "update") {
      world_.update(row.rest);
    } else if (row.word == "bytes") {
      world_.update(from_hex(row.rest));
    } else if (row.word == "set") {
      world_.update(R"({"state":)" + row.rest + "}");
      CHECK_MESSAGE(!world_.rejection, world_.told);
    } else if (row.word == "restore") {
      world_.restore(parsed(row.rest));
    } else if (row.word == "get") {
      world_.get(row.rest);
    } else if (row.word == "delete") {
      world_.remove(row.rest);
    } else {
      check(row);
    }
  }

 private:
  static bj::value parsed(const std::string& text) {
    auto read = json::parse(text);
    INFO(text);
    REQUIRE(read);
    return *read;
  }
  static void same(const std::string& is, const std::string& wanted) {
    if (wanted == "none") {
      CHECK(is.empty());
      return;
    }
    INFO(is);
    REQUIRE(!is.empty());
    CHECK(parsed(is) == parsed(wanted));
  }
  [[nodiscard]] bj::value now(const char* name) const {
    World copy = world_;
    copy.get("");
    if (copy.rejection) return "none";
    return parsed(copy.accepted).at(name);
  }
  void check(const Row& row) {
    if (row.word == "accepted") {
      CHECK_MESSAGE(!world_.rejection, world_.told);
      same(world_.accepted, row.rest);
    } else if (row.word == "rejected") {
      REQUIRE(world_.rejection);
      CHECK(std::to_string(world_.rejection->code) + ' ' + world_.rejection->message == row.rest);
    } else if (row.word == "told") {
      same(world_.told, row.rest);
    } else if (row.word == "delta") {
      same(world_.delta, row.rest);
    } else if (row.word == "documents") {
      same(world_.documents, row.rest);
    } else if (row.word == "difference") {
      REQUIRE(!world_.delta.empty());
      CHECK(parsed(world_.delta).at("state") == parsed(row.rest));
    } else if (row.word == "version" && row.rest == "none") {
      CHECK(now("version") == bj::value("none"));
    } else {
      REQUIRE((row.word == "state" || row.word == "metadata" || row.word == "version"));
      CHECK(now(row.word.c_str()) == parsed(row.rest));
    }
  }

  World world_;
};

TEST_CASE("shadows, as testdata has it") {
  int cases = 0;
  for (const char* file : {"merge", "delta", "documents", "errors"}) {
    const auto rows = read_rows(std::string("testdata/") + file + ".test");
    REQUIRE(!rows.empty());
    std::optional<Runner> runner;
    for (const Row& row : rows) {
      CAPTURE(file);
      CAPTURE(row.line);
      if (row.word == "case") {
        runner.emplace();
        ++cases;
      } else {
        runner->run(row);
      }
    }
  }
  CHECK(cases >= 150);
}

TEST_CASE("the name of what is not there") {
  const auto told = get({}, {}, 1, "night");
  REQUIRE(!told);
  CHECK(told.error() == Rejection{404, "No shadow exists with name: 'night'"});
}

TEST_CASE("a request longer than any is not looked at") {
  World world;
  world.limits.request_bytes = 100;
  world.update(R"({"state":{},"x":")" + std::string(100, 'x') + "\"}");
  CHECK(world.rejection == Rejection{413, "The payload exceeds the maximum size allowed"});
}

// ---- any sequence of updates, against a model that knows no times and no order

bj::value random_value(Random& random, int depth) {
  switch (random.below(depth > 0 ? 9 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return random.below(2) == 0;
    case 2:
      return static_cast<std::int64_t>(random.below(5)) - 2;
    case 3:
      return static_cast<double>(random.below(5)) + 0.25;  // equal to no whole number
    case 4:
      return bj::string(random.hex(1));
    case 5: {
      bj::array array;
      for (auto n = random.below(3); n > 0; --n) array.emplace_back(random.below(3));
      return array;
    }
    default: {
      bj::object object;
      for (auto n = random.below(4); n > 0; --n)
        object[random.below(2) == 0 ? random.hex(1) : "ab"] = random_value(random, depth - 1);
      return object;
    }
  }
}

bj::object random_section(Random& random) {
  bj::object section;
  for (auto n = random.below(4); n > 0; --n)
    section[std::string(1, static_cast<char>('a' + random.below(4)))] = random_value(random, 3);
  return section;
}

void model_merge(bj::object& into, const bj::object& request) {
  for (const auto& [name, value] : request) {
    if (value.is_null()) {
      into.erase(name);
    } else if (value.is_object()) {
      if (!into.contains(name) || !into.at(name).is_object()) into[name] = bj::object();
      model_merge(into.at(name).as_object(), value.get_object());
      if (into.at(name).as_object().empty()) into.erase(name);
    } else {
      into[name] = value;
    }
  }
}

// Whether metadata has a time where state has a scalar, and nothing else.
bool mirrors(const bj::value& metadata, const bj::value& state) {
  if (state.is_array()) {
    return metadata.is_array() &&
           std::ranges::equal(metadata.get_array(), state.get_array(), mirrors);
  }
  if (!metadata.is_object()) return false;
  const bj::object& times = metadata.get_object();
  if (!state.is_object()) {
    return times.size() == 1 && times.contains("timestamp") && times.at("timestamp").is_number();
  }
  return times.size() == state.get_object().size() &&
         std::ranges::all_of(state.get_object(), [&](const auto& pair) {
           return times.contains(pair.key()) && mirrors(times.at(pair.key()), pair.value());
         });
}

TEST_CASE("any updates: the state is the model's, metadata mirrors it, versions have no gaps") {
  SeededRandom random(1);
  for (int round = 0; round < 300; ++round) {
    World world;
    bj::object model[2];
    std::uint64_t version = 0;
    for (int step = 0; step < 30; ++step) {
      CAPTURE(round);
      CAPTURE(step);
      world.now += random.below(3);
      bj::object state;
      for (const int which : {0, 1}) {
        if (random.below(3) == 0) continue;
        const char* name = which == 0 ? "desired" : "reported";
        if (random.below(12) == 0) {
          state[name] = nullptr;
          model[which].clear();
        } else {
          bj::object section = random_section(random);
          model_merge(model[which], section);
          state[name] = std::move(section);
        }
      }
      world.update(json::write(bj::object{{"state", state}}));
      REQUIRE_MESSAGE(!world.rejection, world.told);
      CHECK(world.load().version == ++version);

      world.get("");
      const bj::object told = json::parse(world.accepted)->as_object();
      bj::object sections = told.at("state").as_object();
      sections.erase("delta");
      bj::object wanted;
      if (!model[0].empty()) wanted["desired"] = model[0];
      if (!model[1].empty()) wanted["reported"] = model[1];
      REQUIRE(sections == wanted);
      REQUIRE(mirrors(told.at("metadata"), sections));

      // What is told as the difference, reported, leaves none.
      if (const bj::value* delta = told.at("state").as_object().if_contains("delta")) {
        World follows = world;
        follows.update(json::write(bj::object{{"state", {{"reported", *delta}}}}));
        REQUIRE(follows.delta.empty());
        // And was needed: every part of it is desired.
        bj::object merged = model[0];
        model_merge(merged, delta->as_object());
        REQUIRE(merged == model[0]);
      } else {
        bj::object merged = model[1];
        model_merge(merged, model[0]);
        REQUIRE(merged == model[1]);
      }
    }
  }
}

TEST_CASE("any earlier state can be set again, and what it was rejected for changes nothing") {
  SeededRandom random(2);
  World world;
  world.limits.state_bytes = 400;
  std::vector<std::string> states;
  for (int step = 0; step < 2000; ++step) {
    CAPTURE(step);
    const Document before = world.load();
    if (!states.empty() && random.below(4) == 0) {
      const std::string wanted = states[random.below(states.size())];
      world.restore(*json::parse(wanted));
      REQUIRE(!world.rejection);
      REQUIRE(world.state == wanted);
    } else {
      world.update(json::write(bj::object{
          {"state", {{"desired", random_section(random)}, {"reported", random_section(random)}}}}));
    }
    if (world.rejection) {
      CHECK(world.rejection->code == 413);
      CHECK(world.load() == before);
    } else {
      CHECK(world.load().version == before.version + 1);
      states.push_back(world.state);
    }
  }
  CHECK(states.size() > 500);
}

TEST_CASE("a thousand fields one by one") {
  World world;
  world.limits.state_bytes = 100'000;
  for (int n = 0; n < 1000; ++n) {
    world.update(R"({"state":{"reported":{")" + std::to_string(n * 7919 % 1000) + R"(":)" +
                 std::to_string(n) + "}}}");
    REQUIRE(!world.rejection);
  }
  const Document document = world.load();
  CHECK(document.reported.members.size() == 1000);
  CHECK(std::ranges::is_sorted(document.reported.members, {}, &Field::name));
}

TEST_CASE("a record that is damaged is not read") {
  World world;
  world.update(R"({"state":{"desired":{"a":[1,2],"o":{"b":"c"}},"reported":{"a":1}}})");
  for (std::size_t size = 0; size < world.stored.size(); ++size) {
    Document document;
    CHECK(!records::read(std::string_view(world.stored).substr(0, size), document));
  }
}

}  // namespace
}  // namespace gnomon::shadow
