#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "base/random.h"
#include "fleet/aggregate.h"
#include "fleet/fleet_fixture.h"
#include "fleet/question.h"
#include "fleet/thing.h"

namespace gnomon::fleet {
namespace {

using Names = std::vector<std::string>;

registry::Written<registry::CreatedThingGroup> make_group(Fleet& fleet, const std::string& name,
                                                          const std::string& query = "") {
  return registry::create_thing_group(fleet.registry, {name, "", {}, {}, query});
}
void join(Fleet& fleet, const std::string& thing, const std::string& group) {
  REQUIRE(registry::add_thing_to_thing_group(fleet.registry, {group, "", thing, ""}));
}

TEST_CASE("nothing is indexed until it is switched on; then what was there before is found, too") {
  Fleet fleet;
  fleet.thing("lamp", {{"a", "1"}});
  fleet.update({"lamp", ""}, R"({"reported":{"v":1}})");
  CHECK(
      fleet.refusal("*").starts_with("ResourceNotFoundException Index AWS_Things does not exist"));
  index::Configuration what;
  what.registry = true;
  fleet.configure(what);
  CHECK(fleet.search("attributes.a:1") == Names{"lamp"});
  CHECK(fleet.refusal("shadow.reported.v:1").starts_with("InvalidQueryException The field"));
  CHECK(
      fleet.refusal("connectivity.connected:true").starts_with("InvalidQueryException The field"));
  CHECK(fleet.refusal("shade:1").starts_with("InvalidQueryException Unknown field 'shade'"));
  CHECK(fleet.refusal("a:").starts_with("InvalidQueryException Invalid query: a value is missing"));
  what.shadow = true;
  fleet.configure(what);
  CHECK(fleet.search("shadow.reported.v:1") == Names{"lamp"});
  fleet.configure({});
  CHECK(fleet.postings().empty());
}

TEST_CASE("an index that is being built says so") {
  Fleet fleet;
  fleet.thing("lamp");
  index::Configuration what;
  what.registry = true;
  REQUIRE(registry::configure_index(fleet.registry, what));
  CHECK(fleet.refusal("*").starts_with("IndexNotReadyException "));
  // What changes meanwhile is indexed by who changes it.
  fleet.thing("lamp2", {{"a", "1"}});
  const auto now = *index::load_configuration(fleet.fixture.store);
  CHECK(now.building);
  CHECK(!registry::settle_index(fleet.registry, what)->value);  // that is another one
  fleet.build(now);
  CHECK(registry::settle_index(fleet.registry, now)->value);
  CHECK(fleet.search("attributes.a:1") == Names{"lamp2"});
  CHECK(fleet.search("*") == Names{"lamp", "lamp2"});
}

TEST_CASE("what a search tells of a thing") {
  Fleet fleet;
  fleet.configure(Fleet::everything());
  fleet.thing("lamp", {{"a", "1"}});
  REQUIRE(make_group(fleet, "home"));
  join(fleet, "lamp", "home");
  REQUIRE(make_group(fleet, "ones", "attributes.a:1"));
  fleet.update({"lamp", ""}, R"({"desired":{"v":2},"reported":{"v":1}})");
  fleet.update({"lamp", "pos"}, R"({"reported":{"x":7}})");
  fleet.update({"lamp", "net"}, R"({"reported":{"up":true}})");
  fleet.update({"lamp", "other"}, R"({"reported":{"y":7}})");
  fleet.connectivity("lamp", {true, WallTime{5000}, ""});
  const auto page = search_things(fleet.registry, {"thingName:lamp", 0, ""});
  REQUIRE(page);
  REQUIRE(page->items.size() == 1);
  const FoundThing& found = page->items.front();
  CHECK(found.name == "lamp");
  CHECK(found.thing.thing_id.size() == 36);
  CHECK(found.thing.attributes == registry::Attributes{{"a", "1"}});
  CHECK(found.thing.groups == Names{"home", "ones"});
  CHECK(found.connectivity == index::Connectivity{true, WallTime{5000}, ""});
  const std::string at = std::to_string(fleet.fixture.clock.now().ms / 1000);
  CHECK(found.shadow ==
        R"({"desired":{"v":2},"reported":{"v":1},"metadata":{"desired":{"v":)"
        R"({"timestamp":)" +
            at + R"(}},"reported":{"v":{"timestamp":)" + at +
            R"(}}},"version":1,"hasDelta":true,"name":{"net":{"reported":{"up":true},)"
            R"("metadata":{"reported":{"up":{"timestamp":)" +
            at +
            R"(}}},"version":1,"hasDelta":false},"pos":{"reported":{"x":7},)"
            R"("metadata":{"reported":{"x":{"timestamp":)" +
            at + R"(}}},"version":1,"hasDelta":false}}})");
  CHECK(fleet.search("shadow.name.pos.reported.x:7") == Names{"lamp"});
  CHECK(fleet.search("shadow.name.net.reported.up:true") == Names{"lamp"});
  CHECK(fleet.search("shadow.hasDelta:true") == Names{"lamp"});
  CHECK(fleet.search("shadow.version:1") == Names{"lamp"});
  CHECK(fleet.search("shadow.metadata.reported.v.timestamp>1000") == Names{"lamp"});
  CHECK(fleet.search("registry.version:1") == Names{"lamp"});
  CHECK(fleet.refusal("shadow.name.other.reported.y:7").starts_with("InvalidQueryException"));
}

TEST_CASE("a thing that never was connected is not connected") {
  Fleet fleet;
  fleet.configure(Fleet::everything());
  for (const char* name : {"a", "b", "c"}) fleet.thing(name);
  fleet.connectivity("b", {true, WallTime{1}, ""});
  fleet.connectivity("c", {true, WallTime{1}, ""});
  fleet.connectivity("c", {false, WallTime{2}, "CONNECTION_LOST"});
  CHECK(fleet.search("connectivity.connected:true") == Names{"b"});
  CHECK(fleet.search("connectivity.connected:false") == Names{"a", "c"});
  CHECK(fleet.search("connectivity.disconnectReason:CONNECTION_LOST") == Names{"c"});
  CHECK(fleet.search("connectivity.timestamp>1") == Names{"c"});
  fleet.connectivity("c", {true, WallTime{3}, ""});
  CHECK(fleet.search("connectivity.disconnectReason:CONNECTION_LOST").empty());
  CHECK(connectivity_of(fleet.registry, "a")->at.ms == 0);
  CHECK(connectivity_of(fleet.registry, "b")->connected);
  CHECK(connectivity_of(fleet.registry, "x").error().kind == registry::Kind::resource_not_found);
  // A restart: whoever was connected is not, and strangers are forgotten.
  fleet.connectivity("stranger", {true, WallTime{4}, ""});
  REQUIRE(disconnect_all(fleet.registry, fleet.fixture.store, WallTime{9}));
  CHECK(fleet.search("connectivity.connected:true").empty());
  CHECK(fleet.search("connectivity.disconnectReason:SERVER_ERROR") == Names{"b", "c"});
  CHECK(!*index::load_connectivity(fleet.fixture.store, "stranger"));
  CHECK(*unregistered(fleet.fixture.store, {"a", "stranger", "b"}) == Names{"stranger"});
  fleet.configure({});
  CHECK(fleet.postings().empty());
  CHECK(!*index::load_connectivity(fleet.fixture.store, "b"));
  CHECK(connectivity_of(fleet.registry, "a").error().kind == registry::Kind::index_not_ready);
}

TEST_CASE("pages go on where the one before has ended, whatever comes and goes") {
  Fleet fleet;
  fleet.configure(Fleet::everything());
  for (int i = 0; i < 30; ++i)
    fleet.thing("t" + std::to_string(10 + i), {{"odd", i % 2 == 0 ? "no" : "yes"}});
  CHECK(fleet.search("*", 7).size() == 30);
  CHECK(fleet.search("attributes.odd:yes", 4).size() == 15);
  auto page = search_things(fleet.registry, {"attributes.odd:yes", 4, ""});
  REQUIRE(page);
  CHECK(page->items.back().name == "t17");
  REQUIRE(registry::delete_thing(fleet.registry, "t17"));
  REQUIRE(registry::delete_thing(fleet.registry, "t19"));
  page = search_things(fleet.registry, {"attributes.odd:yes", 4, page->next_token});
  REQUIRE(page);
  CHECK(page->items.front().name == "t21");
  CHECK(!search_things(fleet.registry, {"*", 4, page->next_token}));  // of another query
  CHECK(!search_things(fleet.registry, {"*", limits::search_page_max + 1, ""}));
}

TEST_CASE("dynamic groups: those whose query a thing matches, by their name, too") {
  Fleet fleet;
  CHECK(check_query(fleet.registry, "attributes.a:1").error().kind ==
        registry::Kind::invalid_query);
  fleet.configure(Fleet::everything());
  CHECK(check_query(fleet.registry, "attributes.a:1"));
  CHECK(!check_query(fleet.registry, "nothing.a:1"));
  for (const char* name : {"a", "b", "c"}) fleet.thing(name, {{"a", name}});
  REQUIRE(make_group(fleet, "old", "attributes.a:(a OR b)"));
  fleet.fixture.clock.advance(std::chrono::seconds(1));
  REQUIRE(make_group(fleet, "new", "attributes.a:b"));
  REQUIRE(make_group(fleet, "static"));
  join(fleet, "c", "static");
  CHECK(fleet.search("thingGroupNames:old") == Names{"a", "b"});
  CHECK(fleet.search("thingGroupNames:OLD AND attributes.a:b") == Names{"b"});
  CHECK(fleet.search("thingGroupNames:(new OR static)") == Names{"b", "c"});
  CHECK(fleet.search("NOT thingGroupNames:old") == Names{"c"});
  CHECK(fleet.search("thingGroupNames:*") == Names{"a", "b", "c"});
  CHECK(fleet.search("thingGroupNames:o*") == Names{"a", "b"});
  CHECK(*dynamic_groups_of(fleet.registry, "b") == Names{"old", "new"});
  CHECK(dynamic_groups_of(fleet.registry, "c")->empty());
  // What static groups can have, they cannot.
  const auto refused = [](const auto& done) {
    REQUIRE(!done);
    return done.error().kind == registry::Kind::invalid_request;
  };
  CHECK(refused(registry::add_thing_to_thing_group(fleet.registry, {"old", "", "c", ""})));
  CHECK(refused(registry::delete_thing_group(fleet.registry, "old")));
  CHECK(refused(registry::delete_thing_group(fleet.registry, "static", {}, true)));
  CHECK(refused(registry::update_thing_group(fleet.registry, {"old", {}, {}})));
  CHECK(refused(registry::update_thing_group(fleet.registry, {"static", {}, {}, true, "*"})));
  CHECK(refused(registry::create_thing_group(fleet.registry, {"below", "old", {}, {}})));
  CHECK(!make_group(fleet, "old", "attributes.a:c"));  // it is there with another query
  CHECK(make_group(fleet, "old", "attributes.a:(a OR b)"));
  REQUIRE(registry::update_thing_group(fleet.registry, {"old", {}, {}, true, "attributes.a:c"}));
  CHECK(fleet.search("thingGroupNames:old") == Names{"c"});
  CHECK(registry::describe_thing_group(fleet.registry, "old")->query == "attributes.a:c");
  REQUIRE(registry::delete_thing_group(fleet.registry, "old", {}, true));
  CHECK(fleet.search("thingGroupNames:old").empty());
  for (std::size_t i = 1; i < limits::dynamic_groups_max; ++i)
    REQUIRE(make_group(fleet, "g" + std::to_string(i), "*"));
  CHECK(make_group(fleet, "more", "*").error().kind == registry::Kind::limit_exceeded);
  // A thing is said to be in ten at most.
  const auto page = search_things(fleet.registry, {"thingName:a", 0, ""});
  CHECK(page->items.front().thing.groups.size() == limits::groups_of_thing_max);
}

TEST_CASE("thing groups are searched, too") {
  Fleet fleet;
  const auto found = [&](const std::string& query) {
    Names names;
    Search request{query, 2, ""};
    do {
      const auto page = search_groups(fleet.registry, request);
      REQUIRE_MESSAGE(page, page.error().message);
      for (const auto& group : page->items) names.push_back(group.name);
      request.token = page->next_token;
    } while (!request.token.empty());
    return names;
  };
  CHECK(search_groups(fleet.registry, {"*", 0, ""}).error().kind ==
        registry::Kind::resource_not_found);
  fleet.configure(Fleet::everything());
  REQUIRE(registry::create_thing_group(
      fleet.registry,
      {"top", "", {"the top", registry::AttributePayload{{{"floor", "3"}}, false}}, {}}));
  for (const char* name : {"a", "b", "c"})
    REQUIRE(registry::create_thing_group(fleet.registry, {name, "top", {}, {}}));
  CHECK(found("*") == Names{"a", "b", "c", "top"});
  CHECK(found("parentGroupNames:top") == Names{"a", "b", "c"});
  CHECK(found("thingGroupName:b") == Names{"b"});
  CHECK(found("attributes.floor>2") == Names{"top"});
  CHECK(found("thingGroupDescription:\"the top\"") == Names{"top"});
  CHECK(found("top") == Names{"a", "b", "c", "top"});
  CHECK(search_groups(fleet.registry, {"thingName:a", 0, ""}).error().kind ==
        registry::Kind::invalid_query);
}

TEST_CASE("sums") {
  Fleet fleet;
  auto what = Fleet::everything();
  what.thing_fields = {{"attributes.word", "String"}, {"attributes.mixed", "Number"}};
  fleet.configure(what);
  for (int i = 1; i <= 4; ++i) {
    const std::string name = "t" + std::to_string(i);
    fleet.thing(name, {{"word", i < 4 ? "Red" : "red"}, {"mixed", i < 4 ? "x" : "9"}});
    fleet.update({name, ""}, R"({"reported":{"v":)" + std::to_string(i) + R"(,"on":)" +
                                 (i < 4 ? "true" : "false") + "}}");
  }
  const auto of = [&](const std::string& field, const std::string& query = "*") {
    return statistics(fleet.registry, {query, field});
  };
  const auto v = of("shadow.reported.v");
  REQUIRE(v);
  CHECK(v->count == 4);
  REQUIRE(v->numbers);
  CHECK(v->numbers->average == 2.5);
  CHECK(v->numbers->sum == 10);
  CHECK(v->numbers->minimum == 1);
  CHECK(v->numbers->maximum == 4);
  CHECK(v->numbers->sum_of_squares == 30);
  CHECK(v->numbers->variance == 1.25);
  CHECK(v->numbers->std_deviation == doctest::Approx(1.1180339887));
  CHECK(of("shadow.reported.v", "shadow.reported.v>2")->numbers->sum == 7);
  CHECK(of("shadow.reported.on")->numbers->average == 0.75);
  const auto word = of("attributes.word");
  CHECK(word->count == 4);
  CHECK(!word->numbers);
  CHECK(of("attributes.mixed")->count == 1);
  CHECK(of("attributes.none")->count == 0);
  CHECK(statistics(fleet.registry, {"*"})->numbers->sum == 4);  // of registry.version
  CHECK(of("shade").error().kind == registry::Kind::invalid_aggregation);
  CHECK(of("attributes.word", "shade:1").error().kind == registry::Kind::invalid_query);

  CHECK(*cardinality(fleet.registry, {"*", "attributes.word"}) == 1);
  CHECK(*cardinality(fleet.registry, {"*", "shadow.reported.v"}) == 4);
  CHECK(*cardinality(fleet.registry, {"*", "attributes.none"}) == 0);

  CHECK(*percentiles(fleet.registry, {"*", "shadow.reported.v"}, {0, 50, 100}) ==
        Percentiles{{0, 1}, {50, 2.5}, {100, 4}});
  CHECK(percentiles(fleet.registry, {"*", "shadow.reported.v"}, {})->size() == 7);
  CHECK(percentiles(fleet.registry, {"*", "attributes.word"}, {})->empty());
  CHECK(!percentiles(fleet.registry, {"*", "shadow.reported.v"},
                     std::vector<double>(limits::percents_max + 1, 1)));

  const auto parts = buckets(fleet.registry, {"*", "shadow.reported.on"}, 10);
  REQUIRE(parts);
  CHECK(parts->total == 4);
  REQUIRE(parts->buckets.size() == 2);
  CHECK(parts->buckets[0].value == "true");
  CHECK(parts->buckets[0].count == 3);
  CHECK(buckets(fleet.registry, {"*", "shadow.reported.v"}, 2)->buckets.size() == 2);
  CHECK(buckets(fleet.registry, {"*", "attributes.word"}, 2)->buckets[0].count == 4);
}

TEST_CASE("fields with names that look like paths") {
  Fleet fleet;
  fleet.configure(Fleet::everything());
  fleet.thing("t");
  fleet.update({"t", ""}, R"({"reported":{"a.b":1,"a":{"b":2}}})");
  CHECK(fleet.search("shadow.reported.a.b:1") == Names{"t"});
  CHECK(fleet.search("shadow.reported.a.b:2") == Names{"t"});
  fleet.update({"t", ""}, R"({"reported":{"a.b":2}})");
  CHECK(fleet.search("shadow.reported.a.b:1").empty());
  fleet.update({"t", ""}, R"({"reported":{"a":null}})");
  CHECK(fleet.search("shadow.reported.a.b:2") == Names{"t"});
  fleet.update({"t", ""}, R"({"reported":null})");
  CHECK(fleet.search("shadow.reported.a.b:2").empty());
  fleet.update({"t", ""}, R"({"reported":{"s":"A \"quoted\" text","list":["x",{"y":1},[2],3]}})");
  CHECK(fleet.search(R"(shadow.reported.s:"a \"quoted\" text")") == Names{"t"});
  CHECK(fleet.search("shadow.reported.list:(x AND 3)") == Names{"t"});
  CHECK(fleet.search("shadow.reported.list:2").empty());
  CHECK(fleet.ask(shadow::Ask::remove, {"t", ""}, ""));
  for (const std::string& key : fleet.postings())
    CHECK(!index::read_posting(key)->field.starts_with("shadow."));
}

TEST_CASE("a store that fails is told of") {
  Fleet fleet;
  fleet.configure(Fleet::everything());
  fleet.thing("lamp", {{"a", "1"}});
  fleet.update({"lamp", ""}, R"({"reported":{"v":1}})");
  for (const char* query : {"*", "attributes.a:1", "attributes.a:[0 TO 2]", "1"}) {
    int failed = 0;
    for (int call = 0; call < 30; ++call) {
      fleet.fixture.store.fail_after(call);
      const auto found = search_things(fleet.registry, {query, 0, ""});
      fleet.fixture.store.relent();
      if (found) {
        CHECK(found->items.size() == 1);
      } else {
        ++failed;
        CHECK(found.error().kind == registry::Kind::service_unavailable);
      }
    }
    CHECK(failed >= 4);
  }
}

// Random: changes of every kind, and queries whose answer is compared with what all things say.
class Random {
 public:
  explicit Random(std::uint64_t seed) : random_(seed) {}
  Fleet fleet;

  void change() {
    const std::string thing = name("t", 12), group = name("g", 4);
    switch (random_.below(9)) {
      case 0:
        (void)registry::create_thing(fleet.registry, {thing, "", payload(), ""});
        break;
      case 1:
        (void)registry::update_thing(fleet.registry, {thing, "", payload(), {}, false});
        break;
      case 2:
        if (random_.below(3) == 0) (void)registry::delete_thing(fleet.registry, thing);
        break;
      case 3:
        (void)make_group(fleet, group);
        (void)registry::add_thing_to_thing_group(fleet.registry, {group, "", thing, ""});
        break;
      case 4:
        if (random_.below(4) == 0) {
          (void)registry::delete_thing_group(fleet.registry, group);
        } else {
          (void)registry::remove_thing_from_thing_group(fleet.registry, {group, "", thing, ""});
        }
        break;
      case 5:
        if (what.connectivity) {
          const bool connected = random_.below(2) == 0;
          fleet.connectivity(
              thing, {connected, WallTime{static_cast<std::int64_t>(1000 + random_.below(5))},
                      connected ? "" : "CONNECTION_LOST"});
        }
        break;
      case 6:
        if (random_.below(4) == 0) {
          fleet.ask(shadow::Ask::remove, {thing, shadow_name()}, "");
          break;
        }
        [[fallthrough]];
      default:
        fleet.update({thing, shadow_name()},
                     R"({"desired":)" + section() + R"(,"reported":)" + section() + '}');
    }
    if (random_.below(150) == 0) configure();
  }

  void compare() {
    static const std::vector<std::string> queries = {
        "*",
        "thingName:t1",
        "thingName:t1*",
        "attributes.a:1",
        "attributes.a:[2 TO 3]",
        "attributes.b:*",
        "attributes.a:1 AND attributes.b:2",
        "attributes.a:1 OR attributes.b:2",
        "attributes.a:1 NOT attributes.b:2",
        "thingGroupNames:g1",
        "thingGroupNames:(g1 OR g2) AND attributes.a:*",
        "shadow.reported.x:1",
        "shadow.reported.x>1",
        "shadow.reported.y.z:red",
        "shadow.reported.y.z:r*",
        "shadow.desired.x:(1 OR 2) AND shadow.reported.x:(1 OR 2)",
        "shadow.hasDelta:true",
        "shadow.hasDelta:false AND attributes.a:*",
        "shadow.name.net.reported.x:[0 TO 5]",
        "shadow.name.pos.hasDelta:true",
        "connectivity.connected:true",
        "connectivity.connected:false",
        "connectivity.disconnectReason:CONNECTION_LOST AND connectivity.timestamp>1001",
        "1",
        "red",
        "red AND 1",
        "NOT red",
    };
    for (const std::string& query : queries) {
      const auto question = ask_things(fleet.registry, query);
      if (!question) {  // that is not indexed now
        CHECK((question.error().kind == registry::Kind::invalid_query ||
               question.error().kind == registry::Kind::resource_not_found));
        ++refused;
        continue;
      }
      Things things(fleet.registry, question->what);
      Names expected;
      const auto names = registry::thing_names(fleet.fixture.store, "", 1000);
      REQUIRE(names);
      for (const std::string& name : *names)
        if (index::matches(question->query, **things.find(name))) expected.push_back(name);
      CAPTURE(query);
      CHECK(fleet.search(query, 1 + random_.below(6)) == expected);
      found += expected.size();
    }
  }

  void configure() {
    index::Configuration next;
    next.registry = random_.below(4) != 0;
    if (next.registry) {
      next.shadow = random_.below(3) != 0;
      next.connectivity = random_.below(3) != 0;
      next.named_shadows = random_.below(3) != 0;
      if (next.named_shadows && random_.below(2) == 0) next.shadow_names.push_back("net");
      if (next.named_shadows && random_.below(2) == 0) next.shadow_names.push_back("pos");
    }
    what = next;
    fleet.configure(next);
  }

  index::Configuration what;
  std::size_t found = 0, refused = 0;

 private:
  std::string name(const char* kind, std::uint64_t of) {
    return kind + std::to_string(random_.below(of));
  }
  std::string shadow_name() {
    const char* names[] = {"", "", "net", "pos", "other"};
    return names[random_.below(std::size(names))];
  }
  registry::AttributePayload payload() {
    registry::Attributes attributes;
    for (const char* each : {"a", "b"})
      if (random_.below(3) != 0)
        attributes[each] = random_.below(4) == 0 ? "Red" : std::to_string(random_.below(4));
    return {attributes, random_.below(2) == 0};
  }
  std::string section() {
    const char* sections[] = {"null",
                              R"({"x":1})",
                              R"({"x":2})",
                              R"({"x":null,"y":{"z":"red"}})",
                              R"({"y":{"z":"Ripe"}})",
                              R"({"y":null,"x":1.0})",
                              R"({"x":["red",1,"RED"]})",
                              R"({"y.z":"red"})",
                              R"({"y.z":null})",
                              R"({"x":true})"};
    return sections[random_.below(std::size(sections))];
  }

  SeededRandom random_;
};

TEST_CASE("model: whatever has changed, a search finds what all things say, and nothing is left") {
  std::size_t found = 0, refused = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    random.configure();
    for (int i = 0; i < 900; ++i) {
      random.change();
      if (i % 9 == 0) random.compare();
    }
    random.what = Fleet::everything();
    random.fleet.configure(random.what);
    random.compare();
    found += random.found;
    refused += random.refused;
    // Everything is taken away again.
    for (int i = 0; i < 12; ++i) {
      const std::string thing = "t" + std::to_string(i);
      (void)registry::delete_thing(random.fleet.registry, thing);
      for (const char* shadow : {"", "net", "pos", "other"})
        random.fleet.ask(shadow::Ask::remove, {thing, shadow}, "");
      store::Batch batch;
      for (const std::string& key : index::keys_of_connectivity(thing))
        batch.operations.emplace_back(store::Erase{key});
      REQUIRE(random.fleet.fixture.store.apply(batch));
    }
    CHECK(random.fleet.postings().empty());
  }
  CHECK(found > 5'000);
  CHECK(refused > 300);
}

}  // namespace
}  // namespace gnomon::fleet
