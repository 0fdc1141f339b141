#include "shadow/sweep.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"
#include "partition/slots.h"
#include "records/value.h"
#include "shadow/partition_fixture.h"

namespace gnomon::shadow::testing {
namespace {

constexpr std::int64_t hour_ms = 3600 * 1000;

// One sweep by `step` threads, whose partition is the same one; returns how many slices it took.
int sweep(World& world, std::size_t most = 100, int step = 1) {
  int slices = 0;
  for (int thread = 0; thread < step; ++thread) {
    for (SweepPlace place{thread, {}}; !place.done(); ++slices) {
      const auto found =
          long_deleted(world.store, place, step, static_cast<Seconds>(world.now.ms / 1000), most);
      REQUIRE(found);
      CHECK(found->size() <= most);
      for (const Deleted& one : *found)
        world.partition->handle({one.address, Ask::forget, one.key, 0, {}, {}});
      world.turn_and_sync();
    }
  }
  return slices;
}

std::size_t keys_in(const World& world) {
  std::size_t count = 0;
  REQUIRE(world.store.scan("", "\xff", [&](auto, auto) { return ++count, true; }));
  return count;
}

constexpr const char* some = R"({"state":{"reported":{"a":1}}})";

TEST_CASE("48 hours after its deletion nothing is left of a shadow") {
  for (const bool cached : {true, false}) {
    World world;
    world.ask(Ask::update, some);
    world.ask(Ask::update, some, {"lamp", "night"});
    world.turn_and_sync();
    const std::size_t before = keys_in(world);
    for (int n = 0; n < 3; ++n) world.ask(Ask::update, some, {"old", "x"});
    world.ask(Ask::remove, "", {"old", "x"});
    world.turn_and_sync();
    CHECK(keys_in(world) > before);

    world.now.ms += 48 * hour_ms - 1000;
    if (!cached) world.start();
    sweep(world);
    CHECK(world.stored({"old", "x"}).version == 4);
    CHECK(world.partition->counts().forgotten == 0);

    world.now.ms += 1000;
    world.take_topics();
    const std::size_t tolds = world.tolds.size();
    sweep(world);
    CHECK(keys_in(world) == before);
    CHECK(world.partition->counts().forgotten == 1);
    CHECK(world.partition->counts().open == 0);
    CHECK(world.take_topics().empty());
    CHECK(world.tolds.size() == tolds);
    CHECK(world.stored({"lamp", "night"}).version == 1);

    world.ask(Ask::update, some, {"old", "x"});
    world.turn_and_sync();
    CHECK(world.stored({"old", "x"}).version == 1);
  }
}

TEST_CASE("a shadow that has come back stays, and one that was deleted again stays its 48 hours") {
  World world;
  for (const char* name : {"back", "again"}) {
    world.ask(Ask::update, some, {"lamp", name});
    world.ask(Ask::remove, "", {"lamp", name});
  }
  world.now.ms += hour_ms;
  for (const char* name : {"back", "again"}) world.ask(Ask::update, some, {"lamp", name});
  world.ask(Ask::remove, "", {"lamp", "again"});
  world.turn_and_sync();
  world.now.ms += 47 * hour_ms;
  sweep(world);
  CHECK(world.partition->counts().forgotten == 0);
  CHECK(world.stored({"lamp", "back"}).version == 3);
  CHECK(world.stored({"lamp", "again"}).version == 4);
  world.now.ms += hour_ms;
  sweep(world);
  CHECK(world.partition->counts().forgotten == 1);
  CHECK(world.stored({"lamp", "back"}).exists());
  CHECK(world.stored({"lamp", "again"}).version == 0);
  // No note is left of any.
  SweepPlace place;
  CHECK(long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000 + 1'000'000),
                     100)
            ->empty());
}

TEST_CASE("an update on its way while the sweep looks is not lost") {
  World world;
  world.ask(Ask::update, some);
  world.ask(Ask::remove, "");
  world.turn_and_sync();
  world.now.ms += 49 * hour_ms;
  SweepPlace place;
  const auto found =
      long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000), 100);
  REQUIRE(found->size() == 1);
  world.ask(Ask::update, some);
  world.partition->handle({found->front().address, Ask::forget, found->front().key, 0, {}, {}});
  world.turn_and_sync();
  CHECK(world.stored({"lamp", ""}).version == 1);
  CHECK(world.partition->counts().forgotten == 0);
}

TEST_CASE("the clock was set back since: it is looked at again later") {
  World world;
  world.ask(Ask::update, some);
  world.ask(Ask::remove, "");
  world.turn_and_sync();
  const WallTime then = world.now;
  world.now.ms += 48 * hour_ms;
  SweepPlace place;
  const auto found =
      long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000), 100);
  REQUIRE(found->size() == 1);
  world.now = then;
  world.partition->handle({found->front().address, Ask::forget, found->front().key, 0, {}, {}});
  world.turn_and_sync();
  CHECK(world.stored({"lamp", ""}).version == 2);
  world.now.ms += 48 * hour_ms;
  sweep(world);
  CHECK(world.stored({"lamp", ""}).version == 0);
}

TEST_CASE("many go in slices, whoever's slots they are in") {
  for (const int threads : {1, 3}) {
    World world;
    for (int n = 0; n < 60; ++n) {
      const Address address{"t" + std::to_string(n), ""};
      world.ask(Ask::update, some, address);
      world.ask(Ask::remove, "", address);
    }
    world.turn_and_sync();
    world.now.ms += 48 * hour_ms;
    CHECK(sweep(world, 7, threads) >= 60 / 7);
    CHECK(keys_in(world) == 0);
    CHECK(world.partition->counts().forgotten == 60);
  }
}

TEST_CASE("a power cut in the midst of a sweep leaves whole shadows, or none") {
  SeededRandom random(3);
  for (int run = 0; run < 20; ++run) {
    World world;
    for (int n = 0; n < 20; ++n) {
      world.ask(Ask::update, some, {"t" + std::to_string(n), ""});
      world.ask(Ask::remove, "", {"t" + std::to_string(n), ""});
    }
    world.turn_and_sync();
    world.now.ms += 48 * hour_ms;
    for (SweepPlace place; !place.done();) {
      const auto found =
          long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000), 3);
      for (const Deleted& one : *found)
        world.partition->handle({one.address, Ask::forget, one.key, 0, {}, {}});
      world.turn();
    }
    world.lossy.crash(random);
    world.start();
    sweep(world);
    CHECK(keys_in(world) == 0);
  }
}

TEST_CASE("what cannot be read is told") {
  World world;
  world.now.ms = 100 * hour_ms;
  store::Batch batch;
  batch.operations.emplace_back(store::Put{
      std::string(records::Key(static_cast<std::uint8_t>(Table::deleted), 7).number(1).view()),
      records::write(Deletion())});
  REQUIRE(world.store.apply(batch));
  SweepPlace place;
  const auto found =
      long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000), 3);
  REQUIRE(!found);
  CHECK(found.error().message.find("slot 7") != std::string::npos);
  world.store.fail_after(0);
  place = {};
  CHECK(!long_deleted(world.store, place, 1, static_cast<Seconds>(world.now.ms / 1000), 3));
}

}  // namespace
}  // namespace gnomon::shadow::testing
