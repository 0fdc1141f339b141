// Runs testdata/queries.test, one thing in each case:
//
//   thing {"thingName":"lamp","attributes":{…},"shadow":{…}}   objects inside give dotted names; of
//                          an array each entry is a value; below attributes a number has two
//   yes QUERY, no QUERY    whether the thing is as the query says
//   error QUERY => TEXT    the query is refused so
//
// For each of them the plan must lead to the thing if the query matches. And what holds for any.
#include "index/query.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/cases.h"
#include "base/limits.h"
#include "base/random.h"
#include "index/plan.h"
#include "json/json.h"

namespace gnomon::index {
namespace {

namespace bj = boost::json;

// What a case file says of a thing.
class Fields final : public Subject {
 public:
  void add(const std::string& field, const bj::value& value) {
    if (const auto* object = value.if_object()) {
      for (const auto& pair : *object)
        add(field.empty() ? std::string(pair.key()) : field + '.' + std::string(pair.key()),
            pair.value());
    } else if (const auto* array = value.if_array()) {
      for (const bj::value& entry : *array) add(field, entry);
    } else if (value.is_string()) {
      const std::string text(value.get_string());
      values_[field].push_back({Value::Kind::text, text, 0});
      const auto number = number_of(text);
      if (field.starts_with("attributes.") && number)
        values_[field].push_back({Value::Kind::number, "", *number});
    } else if (value.is_number()) {
      values_[field].push_back({Value::Kind::number, "", value.to_number<double>()});
    } else {
      values_[field].push_back({Value::Kind::text, json::write(value), 0});
    }
  }
  void each(std::string_view field, const Visit& visit) const override {
    for (const auto& [name, values] : values_) {
      if (!field.empty() && field != name) continue;
      for (const Held& held : values)
        if (visit({held.kind, held.text, held.number})) return;
    }
  }
  [[nodiscard]] std::set<std::string> postings(const std::string& thing) const {
    std::set<std::string> keys;
    for (const auto& [name, values] : values_)
      for (const Held& held : values)
        keys.insert(posting(name, {held.kind, held.text, held.number}, thing));
    return keys;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, values] : values_) all.push_back(name);
    return all;
  }

 private:
  struct Held {
    Value::Kind kind;
    std::string text;
    double number;
  };
  std::map<std::string, std::vector<Held>> values_;
};

// Whether a plan leads to the thing, by the keys that are in the store.
bool leads(const Plan& plan, const std::set<std::string>& keys, const std::string& thing) {
  const auto part_leads = [&](const Plan& part) { return leads(part, keys, thing); };
  switch (plan.kind) {
    case Plan::Kind::everything:
      return true;
    case Plan::Kind::term:
      return keys.contains(plan.prefix + thing);
    case Plan::Kind::ranges:
      return std::ranges::any_of(plan.ranges, [&](const Range& range) {
        const auto at = keys.lower_bound(range.begin);
        return at != keys.end() && *at < range.end;
      });
    case Plan::Kind::both:
      return std::ranges::all_of(plan.parts, part_leads);
    case Plan::Kind::either:
      return std::ranges::any_of(plan.parts, part_leads);
  }
  return false;
}

Plan plan_for(const Query& query, const Fields& fields) {
  return plan(query,
              {[](const Query&) { return true; }, [&] { return std::optional(fields.names()); }});
}

TEST_CASE("queries") {
  const auto rows = read_rows("testdata/queries.test");
  Fields thing;
  int count = 0;
  for (const Row& row : rows) {
    CAPTURE(row.line);
    if (row.word == "thing") {
      const auto value = json::parse(row.rest);
      REQUIRE_MESSAGE(value, value.error().message);
      thing = Fields();
      thing.add("", *value);
      continue;
    }
    ++count;
    if (row.word == "error") {
      const std::size_t arrow = row.rest.find(" => ");
      REQUIRE(arrow != std::string::npos);
      const auto query = read_query(row.rest.substr(0, arrow));
      REQUIRE(!query);
      CHECK(query.error().message == row.rest.substr(arrow + 4));
      continue;
    }
    REQUIRE_MESSAGE((row.word == "yes" || row.word == "no"), row.word);
    const auto query = read_query(row.rest);
    REQUIRE_MESSAGE(query, query.error().message);
    const bool matched = matches(*query, thing);
    CHECK(matched == (row.word == "yes"));
    if (matched) CHECK(leads(plan_for(*query, thing), thing.postings("lamp"), "lamp"));
  }
  CHECK(count >= 150);
}

TEST_CASE("a query has bounds") {
  CHECK(read_query("").error().message == "a term is missing (at character 1)");
  CHECK(read_query(std::string(limits::query_bytes_max, 'a')));
  CHECK(!read_query(std::string(limits::query_bytes_max + 1, 'a')));
  std::string terms = "a";
  for (std::size_t i = 1; i < limits::query_terms_max; ++i) terms += " a";
  CHECK(read_query(terms));
  CHECK(read_query(terms + " a").error().message ==
        "there are more than 12 terms: use fewer (at character 25)");
  CHECK(read_query(std::string(10, '(') + "a" + std::string(10, ')')));
  CHECK(!read_query(std::string(400, '(') + "a" + std::string(400, ')')));
  CHECK(!read_query(std::string(900, '-') + "a"));
}

TEST_CASE("any text is a query or is refused; what matches is found by its plan") {
  SeededRandom random(7);
  constexpr std::string_view pieces[] = {
      "a",  "b:", "a:",   "c.d:",  "*",    "?",     "x", "xy", "10", "9.5",
      "-1", "\"", "\\",   "(",     ")",    "[",     "]", "{",  "}",  ">",
      "<",  ">=", " TO ", " AND ", " OR ", " NOT ", "-", " ",  "X*", "true"};
  int read = 0, matched = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string text;
    for (std::uint64_t left = 1 + random.below(9); left > 0; --left)
      text += pieces[random.below(std::size(pieces))];
    const auto query = read_query(text);
    if (!query) {
      CHECK(query.error().message.find("(at character ") != std::string::npos);
      continue;
    }
    ++read;
    Fields thing;
    for (const char* field : {"a", "b", "c.d", "attributes.e"}) {
      const std::string_view values[] = {R"("x")", R"("XY")",    "10",   "9.5",
                                         "-1",     R"(["x",9])", "true", R"("10")"};
      if (random.below(3) != 0)
        thing.add(field, *json::parse(values[random.below(std::size(values))]));
    }
    if (!matches(*query, thing)) continue;
    ++matched;
    CAPTURE(text);
    CHECK(leads(plan_for(*query, thing), thing.postings("t"), "t"));
  }
  CHECK(read > 5'000);
  CHECK(matched > 2'000);
}

TEST_CASE("a pattern") {
  CHECK(matches_pattern("a*b?c", "axxbxbyc"));
  CHECK(!matches_pattern("a*b?c", "axxbxbc"));
  CHECK(matches_pattern("a\\*b", "a*b"));
  CHECK(!matches_pattern("a\\*b", "axb"));
  CHECK(matches_pattern("a**", "a"));
  CHECK(!matches_pattern("a?", "a"));
  // No text makes it slow.
  CHECK(!matches_pattern("a*a*a*a*a*a*a*a*a*a*b", std::string(250, 'a')));
}

}  // namespace
}  // namespace gnomon::index
