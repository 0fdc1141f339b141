// A million things that are searched, measured; skipped unless it is asked for:
// fleet_test -tc="measure*" -ns
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "fleet/aggregate.h"
#include "fleet/indexing.h"
#include "fleet/search.h"
#include "index/connectivity.h"
#include "records/value.h"
#include "registry/indexing.h"
#include "registry/registry_fixture.h"
#include "registry/thing_types.h"
#include "registry/things.h"
#include "shadow/indexing.h"
#include "shadow/records.h"
#include "store/rocks.h"
#include "store/temporary_folder.h"

namespace gnomon::fleet {
namespace {

constexpr int things = 1'000'000, types = 100;
const SystemMonotonicClock monotonic;

std::string name_of_thing(int i) { return "thing-" + std::to_string(1'000'000 + i); }

// Reports a temperature, a firmware, a place and a state; four of ten things differ from desired.
shadow::Document document(int i) {
  const std::string text = R"({"state":{"desired":{"on":)" +
                           std::string(i % 10 < 4 ? "true" : "false") +
                           R"(},"reported":{"on":false,"temperature":)" + std::to_string(i % 1000) +
                           R"(,"firmware":"1.)" + std::to_string(i % 50) + R"(","site":{"room":)" +
                           std::to_string(i % 5000) + "}}}}";
  const shadow::Limits limits{limits::shadow_request_bytes, limits::shadow_state_bytes,
                              limits::shadow_depth};
  shadow::Token token;
  const auto update = shadow::read_update(text, limits, token);
  REQUIRE(update);
  return shadow::update({}, *update, {}, 1'700'000'000, limits)->document;
}

void create(registry::Registry& registry, int i) {
  const registry::Attributes attributes{{"serial", std::to_string(i)},
                                        {"colour", i % 2 == 0 ? "red" : "green"},
                                        {"site", "site-" + std::to_string(i % 1000)}};
  REQUIRE(registry::create_thing(registry, {name_of_thing(i), "type-" + std::to_string(i % types),
                                            registry::AttributePayload{attributes}, ""}));
}

void apply(store::Store& store, store::Batch& batch) {
  REQUIRE(store.apply(batch));
  batch.clear();
}

// What the store takes on the disk, when all that is written is in its tables.
double megabytes(store::Store& store, const std::string& copy) {
  REQUIRE(store.checkpoint(copy));
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(copy))
    if (entry.is_regular_file()) bytes += entry.file_size();
  std::filesystem::remove_all(copy);
  return static_cast<double>(bytes) / 1e6;
}

double resident_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1e3;
  return 0;
}

template <class F>
void timed(const char* what, int calls, F&& call) {
  std::vector<double> times;
  std::size_t found = 0;
  for (int i = 0; i < calls; ++i) {
    const Instant begin = monotonic.now();
    found += call(i);
    times.push_back(static_cast<double>((monotonic.now() - begin).count()) / 1e6);
  }
  std::ranges::sort(times);
  std::printf("  %-66s %6zu found, p50 %8.3f ms, p99 %8.3f ms\n", what,
              found / static_cast<std::size_t>(calls), times[times.size() / 2],
              times[times.size() * 99 / 100]);
}

TEST_CASE("measure: a million things are searched" * doctest::skip()) {
  const store::TemporaryFolder folder;
  const auto opened = store::open_rocks_store({folder / "store"}, monotonic);
  REQUIRE(opened);
  store::Store& store = **opened;
  ManualWallClock clock;
  SystemRandom random;
  registry::Registry registry{store,          clock,      random, registry::Fixture::devices(),
                              "123456789012", "us-east-1"};
  for (int i = 0; i < types; ++i)
    REQUIRE(registry::create_thing_type(registry, {"type-" + std::to_string(i), {}, {}}));
  store::Batch batch;
  for (int i = 0; i < things; ++i) {
    create(registry, i);
    batch.operations.emplace_back(
        store::Put{shadow::document_key({name_of_thing(i), ""}), records::write(document(i))});
    if (i % 100 == 99) apply(store, batch);
  }
  const double plain = megabytes(store, folder / "copy");
  const double resident = resident_megabytes();

  index::Configuration what;
  what.registry = what.shadow = what.connectivity = true;
  REQUIRE(registry::configure_index(registry, what));
  const Instant begin = monotonic.now();
  std::string place;
  do {
    const auto last = index_things(registry, place);
    REQUIRE(last);
    place = *last;
  } while (!place.empty());
  for (int i = 0; i < things; ++i) {
    const std::string name = name_of_thing(i);
    shadow::index_change({name, ""}, {}, document(i), batch.operations);
    index::write_connectivity(
        name, {i % 3 == 0, WallTime{1'700'000'000'000 + i}, i % 3 == 0 ? "" : "CONNECTION_LOST"},
        batch.operations);
    if (i % 100 == 99) apply(store, batch);
  }
  REQUIRE(registry::settle_index(registry, *index::load_configuration(store)));
  std::printf("  indexed in %.1f s\n",
              static_cast<double>((monotonic.now() - begin).count()) / 1e9);
  const double indexed = megabytes(store, folder / "copy");

  const auto search = [&](const std::string& query) {
    const auto page = search_things(registry, {query, 100, ""});
    REQUIRE_MESSAGE(page, page.error().message);
    return page->items.size();
  };
  const auto any = [&](int below) {
    return std::to_string(random.below(static_cast<std::uint64_t>(below)));
  };
  timed("attributes.serial:N", 2000,
        [&](int) { return search("attributes.serial:" + any(things)); });
  timed("attributes.site:site-N (1,000 match)", 500,
        [&](int) { return search("attributes.site:site-" + any(1000)); });
  timed("attributes.site:site-N AND shadow.reported.temperature:N", 500, [&](int) {
    const std::string n = any(1000);
    return search("attributes.site:site-" + n + " AND shadow.reported.temperature:" + n);
  });
  timed("attributes.colour:red AND thingTypeName:type-N (10,000 or none)", 500,
        [&](int) { return search("attributes.colour:red AND thingTypeName:type-" + any(types)); });
  timed("shadow.reported.site.room:N (200)", 500,
        [&](int) { return search("shadow.reported.site.room:" + any(5000)); });
  timed("connectivity.connected:true AND attributes.site:site-N NOT …", 500, [&](int) {
    return search("connectivity.connected:true AND attributes.site:site-" + any(1000) +
                  " NOT shadow.hasDelta:true");
  });
  timed("shadow.reported.temperature:[N TO N+2] (3,000)", 500, [&](int) {
    const auto n = random.below(990);
    return search("shadow.reported.temperature:[" + std::to_string(n) + " TO " +
                  std::to_string(n + 2) + "]");
  });
  timed("attributes.serial:123* (1,111)", 500, [&](int) {
    return search("attributes.serial:" + std::to_string(100 + random.below(900)) + "*");
  });
  timed("thingName:thing-1234* (1,000)", 500, [&](int) {
    return search("thingName:thing-1" + std::to_string(100 + random.below(900)) + "*");
  });
  timed("N (any field)", 200, [&](int) { return search(any(things)); });
  timed("*", 500, [&](int) { return search("*"); });
  timed("shadow.hasDelta:true (400,000)", 500, [&](int) { return search("shadow.hasDelta:true"); });
  timed("shadow.reported.temperature>500 (499,000)", 20,
        [&](int) { return search("shadow.reported.temperature>500"); });
  timed("GetStatistics of a field, 1,000 things", 50, [&](int) {
    const auto made =
        statistics(registry, {"attributes.site:site-" + any(1000), "shadow.reported.temperature"});
    REQUIRE(made);
    return static_cast<std::size_t>(made->count);
  });
  timed("GetStatistics of a field, all", 1, [&](int) {
    const auto made = statistics(registry, {"*", "shadow.reported.temperature"});
    REQUIRE(made);
    return static_cast<std::size_t>(made->count);
  });
  std::printf("  disk: %.0f B a thing without the index, %.0f B for the index\n",
              plain * 1e6 / things, (indexed - plain) * 1e6 / things);
  std::printf("  memory: %.0f MB resident before the index was built, %.0f MB now\n", resident,
              resident_megabytes());
}

}  // namespace
}  // namespace gnomon::fleet
