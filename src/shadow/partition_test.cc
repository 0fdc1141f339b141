#include "shadow/partition.h"

#include <map>
#include <set>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"
#include "records/value.h"
#include "shadow/history.h"
#include "shadow/partition_fixture.h"

namespace gnomon::shadow::testing {
namespace {

using Topics = std::vector<std::string>;

TEST_CASE("topics of requests, and what they are answered on") {
  const auto update = read_topic("$aws/things/lamp/shadow/update");
  REQUIRE(update);
  CHECK(update->address == Address{"lamp", ""});
  CHECK(update->ask == Ask::update);
  const auto get = read_topic("$aws/things/a:b_c-9/shadow/name/$x:y_z-1/get");
  REQUIRE(get);
  CHECK(get->address == Address{"a:b_c-9", "$x:y_z-1"});
  CHECK(get->ask == Ask::get);
  CHECK(read_topic("$aws/things/lamp/shadow/name/n/delete")->ask == Ask::remove);
  CHECK(topic_prefix({"lamp", ""}) == "$aws/things/lamp/shadow/");
  CHECK(topic_prefix({"lamp", "n"}) == "$aws/things/lamp/shadow/name/n/");
  const std::string longest(128, 'x'), name(64, 'n');
  CHECK(read_topic("$aws/things/" + longest + "/shadow/name/" + name + "/get"));
  for (const std::string& other :
       {std::string(""), std::string("a/b"), std::string("$aws/things/lamp/shadow/"),
        std::string("$aws/things/lamp/shadow/list"), std::string("$aws/things/lamp/shadow/get/"),
        std::string("$aws/things/lamp/shadow/get/accepted"), std::string("$aws/things//shadow/get"),
        std::string("$aws/things/a b/shadow/get"), std::string("$aws/things/lamp/shadow/name/get"),
        std::string("$aws/things/lamp/shadow/name//get"),
        std::string("$aws/things/lamp/shadow/name/a.b/get"),
        std::string("$aws/things/lamp/jobs/get"), "$aws/things/" + longest + "x/shadow/get",
        "$aws/things/lamp/shadow/name/" + name + "n/get"}) {
    CAPTURE(other);
    CHECK(!read_topic(other));
  }
}

TEST_CASE("an update is told of when it is durable: accepted, delta, documents") {
  World world;
  world.ask(Ask::update, R"({"state":{"desired":{"on":true}}})");
  CHECK(world.reads.size() == 1);
  world.turn();
  CHECK(world.published.empty());
  CHECK(world.tolds.empty());
  CHECK(world.syncs_asked > 0);
  CHECK(!world.partition->is_due());
  REQUIRE(world.store.sync());
  CHECK(world.partition->is_due());
  world.partition->turn();
  CHECK(world.take_topics() == Topics{"$aws/things/lamp/shadow/update/accepted",
                                      "$aws/things/lamp/shadow/update/delta",
                                      "$aws/things/lamp/shadow/update/documents"});
  CHECK(world.last_qos == 1);
  REQUIRE(world.tolds.size() == 1);
  CHECK(!world.tolds[0].rejection);
  CHECK(!world.partition->is_due());
  CHECK(world.stored({"lamp", ""}).version == 1);

  world.ask(Ask::update, R"({"state":{"reported":{"on":true}}})", {"lamp", "night"});
  world.turn_and_sync();
  CHECK(world.take_topics() == Topics{"$aws/things/lamp/shadow/name/night/update/accepted",
                                      "$aws/things/lamp/shadow/name/night/update/documents"});
  CHECK(world.stored({"lamp", "night"}).version == 1);
}

TEST_CASE("what changes nothing is told at once, but behind what it has seen") {
  World world;
  world.ask(Ask::get, "");
  world.turn();
  CHECK(world.take_topics() == Topics{"$aws/things/lamp/shadow/get/rejected"});
  world.ask(Ask::update, R"({"state":{"desired":{"on":true}},"clientToken":"a"})");
  world.ask(Ask::get, "");
  world.ask(Ask::update, R"({"state":{"desired":{"on":false}},"version":7})");
  world.turn();
  CHECK(world.published.empty());
  world.ask(Ask::get, "", {"other", ""});
  world.turn();
  CHECK(world.take_topics() == Topics{"$aws/things/other/shadow/get/rejected"});
  REQUIRE(world.store.sync());
  world.ask(Ask::get, "");  // nothing it has seen is not durable now
  world.partition->turn();
  CHECK(world.take_topics() ==
        Topics{"$aws/things/lamp/shadow/update/accepted", "$aws/things/lamp/shadow/update/delta",
               "$aws/things/lamp/shadow/update/documents", "$aws/things/lamp/shadow/get/accepted",
               "$aws/things/lamp/shadow/update/rejected", "$aws/things/lamp/shadow/get/accepted"});
}

TEST_CASE("requests wait in their order until the shadow has been read") {
  World world;
  for (int n = 0; n < 5; ++n)
    world.ask(Ask::update, R"({"state":{"reported":{"n":)" + std::to_string(n) + "}}}");
  CHECK(world.reads.size() == 1);
  world.partition->turn();
  CHECK(world.partition->counts().open == 5);
  world.turn_and_sync();
  REQUIRE(world.tolds.size() == 5);
  for (std::size_t n = 0; n < 5; ++n) {
    const auto told = json::parse(world.tolds[n].payload)->as_object();
    CHECK(told.at("version").as_int64() == static_cast<std::int64_t>(n) + 1);
    CHECK(told.at("state").as_object().at("reported").as_object().at("n").as_int64() ==
          static_cast<std::int64_t>(n));
  }
  CHECK(world.partition->counts().open == 0);
}

TEST_CASE("over HTTP neither gets nor rejections are published, but what has changed") {
  World world;
  world.ask(Ask::get, "", {"lamp", ""}, Source::http);
  world.ask(Ask::update, "nonsense", {"lamp", ""}, Source::http);
  world.ask(Ask::update, R"({"state":{"reported":{"a":1}}})", {"lamp", ""}, Source::http);
  world.ask(Ask::get, "", {"lamp", ""}, Source::http);
  world.ask(Ask::remove, "", {"lamp", ""}, Source::http);
  world.turn_and_sync();
  CHECK(world.take_topics() == Topics{"$aws/things/lamp/shadow/update/accepted",
                                      "$aws/things/lamp/shadow/update/documents",
                                      "$aws/things/lamp/shadow/delete/accepted"});
  REQUIRE(world.tolds.size() == 5);
  CHECK(world.tolds[0].rejection->code == 404);
  CHECK(world.tolds[1].rejection->code == 400);
  CHECK(!world.tolds[4].rejection);
}

TEST_CASE("the history has who, when and what, of the last versions") {
  World world;
  const auto most = static_cast<std::uint64_t>(limits::shadow_history_max);
  for (std::uint64_t n = 1; n <= most + 5; ++n) {
    world.now.ms += 1000;
    world.ask(Ask::update, R"({"state":{"reported":{"n":)" + std::to_string(n) + "}}}");
    world.turn_and_sync();
  }
  world.ask(Ask::remove, "");
  world.turn_and_sync();
  const auto entries = history(world.store, {"lamp", ""});
  REQUIRE(entries);
  REQUIRE(entries->size() == most);
  CHECK(entries->front().version == most + 6);
  CHECK(entries->front().ask == Ask::remove);
  CHECK((*entries)[1] == Entry{most + 5,
                               WallTime{world.now.ms},
                               Ask::update,
                               {Source::mqtt, "me", "client"},
                               R"({"reported":{"n":25}})",
                               R"({"reported":{"n":25}})"});
  CHECK(entries->back().version == 7);

  // After 48 hours it begins anew, and so does its history.
  world.now.ms += 48LL * 3600 * 1000;
  world.ask(Ask::update, R"({"state":{"reported":{"n":0}}})");
  world.turn_and_sync();
  const auto anew = history(world.store, {"lamp", ""});
  REQUIRE(anew);
  REQUIRE(anew->size() == 1);
  CHECK(anew->front().version == 1);
}

TEST_CASE("histories of other shadows, of none, and that cannot be read") {
  World world;
  for (const Address& address :
       {Address{"lamp", ""}, Address{"lamp", "n"}, Address{"lamp", "nn"}, Address{"lamp2", "n"}})
    world.ask(Ask::update, R"({"state":{"reported":{"a":1}}})", address);
  world.ask(Ask::update, R"({"state":{"reported":{"a":2}}})", {"lamp", "n"});
  world.turn_and_sync();
  CHECK(history(world.store, {"lamp", ""})->size() == 1);
  CHECK(history(world.store, {"lamp", "n"})->size() == 2);
  CHECK(history(world.store, {"nobody", "n"})->empty());
  for (const int calls : {0, 1}) {
    world.store.fail_after(calls);
    CHECK(!history(world.store, {"lamp", "n"}));
  }
  store::Batch batch;
  batch.operations.emplace_back(
      store::Put{std::string(key(Table::history, "lamp").text("n").number(1).view()), "nonsense"});
  REQUIRE(world.store.apply(batch));
  CHECK(!history(world.store, {"lamp", "n"}));
}

TEST_CASE("what was set and is too long is not kept in the history") {
  World world;
  std::string nulls;
  for (int n = 0; n < 1500; ++n)
    nulls += (n > 0 ? "," : "") + ("\"" + std::to_string(n)) + "\":null";
  world.ask(Ask::update, R"({"state":{"reported":{)" + nulls + "}}}");
  world.turn_and_sync();
  const auto entries = history(world.store, {"lamp", ""});
  REQUIRE(entries->size() == 1);
  CHECK(entries->front().change.empty());
  CHECK(entries->front().state == "{}");
}

TEST_CASE("what it was is set again, as a new version") {
  World world;
  world.ask(Ask::update, R"({"state":{"desired":{"a":1},"reported":{"b":1}}})");
  world.ask(Ask::update, R"({"state":{"desired":{"a":2,"c":3}}})");
  world.ask(Ask::restore, R"({"desired":{"a":1},"reported":{"b":1}})");
  world.turn_and_sync();
  const Document document = world.stored({"lamp", ""});
  CHECK(document.version == 3);
  std::string state;
  write_state(document.desired, state);
  CHECK(state == R"({"a":1})");
  CHECK(world.take_topics().at(6) == "$aws/things/lamp/shadow/update/accepted");
}

TEST_CASE("a full disk: updates are rejected with 500, deletions free space") {
  World world;
  world.ask(Ask::update, R"({"state":{"desired":{"a":1}}})");
  world.turn_and_sync();
  world.store.set_accepting(false);
  world.ask(Ask::update, R"({"state":{"desired":{"a":2}},"clientToken":"t"})");
  world.ask(Ask::get, "");
  world.ask(Ask::remove, "");
  world.turn_and_sync();
  REQUIRE(world.tolds.size() == 4);
  CHECK(world.tolds[1].rejection == Rejection{500, "Internal service failure"});
  CHECK(!world.tolds[2].rejection);
  CHECK(!world.tolds[3].rejection);
}

TEST_CASE("what is not to be carried out is rejected, with its token, and does not wait") {
  World world;
  world.ask(Ask::update, R"({"state":{"desired":{"on":true}}})");
  world.partition->reject({{"lamp", ""},
                           Ask::update,
                           R"({"state":{"desired":{"on":false}},"clientToken":"t"})",
                           1,
                           {Source::mqtt, "me", "client"},
                           [&](Told told) { world.tolds.push_back(std::move(told)); }},
                          {429, "Too many requests"});
  world.turn();
  CHECK(world.published == std::vector<std::string>{
                               "$aws/things/lamp/shadow/update/rejected "
                               R"({"code":429,"message":"Too many requests","clientToken":"t"})"});
  REQUIRE(world.tolds.size() == 1);
  CHECK(world.tolds[0].rejection == Rejection{429, "Too many requests"});
  CHECK(world.partition->counts().throttled == 1);
  CHECK(world.partition->counts().open == 1);
  REQUIRE(world.store.sync());
  world.partition->turn();
  CHECK(world.partition->counts().open == 0);
  CHECK(world.stored({"lamp", ""}).version == 1);
}

TEST_CASE("a store that fails ends it, and nobody is told") {
  for (const bool reading : {true, false}) {
    World world;
    world.ask(Ask::update, R"({"state":{"desired":{"a":1}}})");
    if (!reading) {
      for (const std::string& each : std::exchange(world.reads, {}))
        world.partition->loaded(each, world.store.get(each));
    }
    world.store.fail_after(0);
    world.turn();
    CHECK(!world.broke.empty());
    CHECK(world.published.empty());
    CHECK(world.tolds.empty());
  }
}

TEST_CASE("a record that is damaged ends it") {
  World world;
  store::Batch batch;
  batch.operations.emplace_back(store::Put{document_key({"lamp", "n"}), "nonsense"});
  REQUIRE(world.store.apply(batch));
  world.ask(Ask::get, "", {"lamp", "n"});
  world.turn();
  CHECK(world.broke.find("'n' of thing 'lamp'") != std::string::npos);
  CHECK(world.published.empty());
}

TEST_CASE("little memory: what is not in use is read again") {
  World world;
  world.start(2000);
  for (int round = 0; round < 3; ++round) {
    for (int n = 0; n < 50; ++n) {
      world.ask(Ask::update, R"({"state":{"reported":{"a":"some text"}}})",
                {"t" + std::to_string(n), ""});
      if (n % 7 == 0) world.turn_and_sync();
    }
    world.turn_and_sync();
    CHECK(world.partition->counts().cached_bytes <= 2000);
  }
  for (int n = 0; n < 50; ++n) CHECK(world.stored({"t" + std::to_string(n), ""}).version == 3);
  CHECK(world.partition->counts().loads > 100);
}

TEST_CASE("power cuts: every accepted version is there, and no version is told twice") {
  SeededRandom random(5);
  World world;
  std::map<std::string, std::uint64_t> told;  // highest version that was accepted
  std::set<std::string> seen;
  for (int run = 0; run < 60; ++run) {
    world.start(4000);
    for (int step = 0; step < 20; ++step) {
      const std::string thing = "t" + std::to_string(random.below(4));
      world.ask(random.below(8) == 0 ? Ask::remove : Ask::update,
                R"({"state":{"reported":{"n":)" + std::to_string(random.below(9)) + "}}}",
                {thing, ""});
      if (random.below(3) == 0) world.turn();
      if (random.below(4) == 0) REQUIRE(world.store.sync());
      for (const std::string& each : std::exchange(world.published, {})) {
        if (each.find("/update/accepted") == std::string::npos) continue;
        const std::string of = each.substr(12, 2);
        const auto version = static_cast<std::uint64_t>(json::parse(each.substr(each.find(' ') + 1))
                                                            ->as_object()
                                                            .at("version")
                                                            .to_number<int>());
        CHECK(version > told[of]);
        told[of] = version;
        CHECK(seen.insert(of + ' ' + std::to_string(version)).second);
      }
    }
    world.lossy.crash(random);
    for (const auto& [thing, version] : told) CHECK(world.stored({thing, ""}).version >= version);
  }
  CHECK(seen.size() > 100);
}

}  // namespace
}  // namespace gnomon::shadow::testing
