// What the tests of the fleet share: a registry, shadows and connectivity on one store in memory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "fleet/indexing.h"
#include "fleet/search.h"
#include "index/connectivity.h"
#include "index/tables.h"
#include "registry/indexing.h"
#include "registry/memberships.h"
#include "registry/registry_fixture.h"
#include "registry/thing_groups.h"
#include "shadow/partition.h"
#include "shadow/service.h"

namespace gnomon::fleet {

// Fleet: one partition has all shadows, and everything is durable at once.
struct Fleet final : private shadow::Host {
  Fleet() { configure({}); }

  registry::Fixture fixture;
  registry::Registry& registry = fixture.registry;
  shadow::Partition partition{
      {fixture.store,
       *this,
       {limits::shadow_request_bytes, limits::shadow_state_bytes, limits::shadow_depth},
       1 << 20}};
  std::vector<std::string> reads;

  void publish(const std::string&, const std::string&, std::uint8_t) override {}
  void read(const std::string& key) override { reads.push_back(key); }
  void request_sync() override { REQUIRE(fixture.store.sync()); }
  void broken(const Error& error) override { FAIL(error.message); }
  [[nodiscard]] WallTime wall_now() const override { return fixture.clock.now(); }

  void turn() {
    for (const std::string& key : std::exchange(reads, {}))
      partition.loaded(key, fixture.store.get(key));
    partition.turn();
  }
  bool ask(shadow::Ask ask, const shadow::Address& address, const std::string& payload) {
    bool accepted = false;
    partition.handle({address, ask, payload, 0, {}, [&](const shadow::Told& told) {
                        accepted = !told.rejection;
                      }});
    turn();
    turn();
    return accepted;
  }
  bool update(const shadow::Address& address, const std::string& state) {
    return ask(shadow::Ask::update, address, R"({"state":)" + state + '}');
  }
  void connectivity(const std::string& thing, const index::Connectivity& is) {
    store::Batch batch;
    index::write_connectivity(thing, is, batch.operations);
    REQUIRE(fixture.store.apply(batch));
  }

  // As the server goes about it, but at once.
  void configure(const index::Configuration& wanted) {
    REQUIRE(registry::configure_index(registry, wanted));
    const auto what = *index::load_configuration(fixture.store);
    partition.set_index(std::make_shared<const index::Configuration>(what));
    if (what.clearing) REQUIRE(clear(fixture.store, what));
    if (what.building && what.registry) build(what);
    const auto settled = registry::settle_index(registry, what);
    REQUIRE(settled);
    CHECK(settled->value);
  }
  void build(const index::Configuration& what) {
    std::string place;
    do {
      const auto last = index_things(registry, place);
      REQUIRE(last);
      place = *last;
    } while (!place.empty());
    do {
      const auto found = shadow::list_addresses(fixture.store, place, limits::index_slice);
      REQUIRE(found);
      for (const shadow::Address& address : found->addresses)
        if (what.indexes_shadow(address.name)) CHECK(ask(shadow::Ask::index, address, ""));
      place = found->last;
    } while (!place.empty());
  }

  std::vector<std::string> search(const std::string& query, std::size_t page = 0) {
    std::vector<std::string> names;
    Search request{query, page, ""};
    do {
      const auto found = search_things(registry, request);
      REQUIRE_MESSAGE(found, query << ": " << found.error().message);
      for (const FoundThing& thing : found->items) names.push_back(thing.name);
      request.token = found->next_token;
    } while (!request.token.empty());
    return names;
  }
  std::string refusal(const std::string& query) {
    const auto found = search_things(registry, {query, 0, ""});
    REQUIRE(!found);
    return std::string(to_string(found.error().kind)) + ' ' + found.error().message;
  }
  void thing(const std::string& name, registry::Attributes attributes = {}) {
    REQUIRE(registry::create_thing(
        registry, {name, "", registry::AttributePayload{std::move(attributes), false}, ""}));
  }
  // What the index has in the store.
  std::vector<std::string> postings() {
    std::vector<std::string> keys;
    for (const auto& [key, value] : fixture.content())
      if (key[0] == static_cast<char>(index::Table::posting)) keys.push_back(key);
    return keys;
  }

  static index::Configuration everything() {
    index::Configuration all;
    all.registry = all.shadow = all.named_shadows = all.connectivity = all.groups = true;
    all.shadow_names = {"net", "pos"};
    return all;
  }
};

}  // namespace gnomon::fleet
