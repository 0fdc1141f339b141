// What the tests of a partition share.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "records/value.h"
#include "shadow/partition.h"
#include "store/failing.h"
#include "store/lossy.h"

namespace gnomon::shadow::testing {

// World: a partition on a store that syncs when the test says so.
class World final : public Host {
 public:
  World() { start(); }
  void start(std::size_t cache_bytes = 1 << 20) {
    partition.emplace(Partition::Setup{
        store, *this, {limits::shadow_request_bytes, 1000, limits::shadow_depth}, cache_bytes});
    reads.clear();
    published.clear();
  }
  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos) override {
    published.push_back(topic + ' ' + payload);
    last_qos = qos;
  }
  void read(const std::string& key) override { reads.push_back(key); }
  void request_sync() override { ++syncs_asked; }
  void broken(const Error& error) override { broke = error.message; }
  [[nodiscard]] WallTime wall_now() const override { return now; }

  void ask(Ask ask, std::string payload, Address address = {"lamp", ""},
           Source source = Source::mqtt) {
    partition->handle({std::move(address),
                       ask,
                       std::move(payload),
                       1,
                       {source, "me", "client"},
                       [this](Told told) { tolds.push_back(std::move(told)); }});
  }
  // Reads what is waited for, and ends the turn.
  void turn() {
    for (const std::string& key : std::exchange(reads, {})) partition->loaded(key, store.get(key));
    partition->turn();
  }
  void turn_and_sync() {
    turn();
    REQUIRE(store.sync());
    partition->turn();
  }
  std::vector<std::string> take_topics() {
    std::vector<std::string> topics;
    for (const std::string& each : std::exchange(published, {}))
      topics.push_back(each.substr(0, each.find(' ')));
    return topics;
  }
  Document stored(const Address& address) {
    Document document;
    const auto record = store.get(document_key(address));
    if (record && *record) REQUIRE(records::read(**record, document));
    return document;
  }

  store::LossyStore lossy;
  store::FailingStore store{lossy};
  std::optional<Partition> partition;
  WallTime now{1'000'000};
  std::vector<std::string> reads, published;
  std::vector<Told> tolds;
  std::uint8_t last_qos = 0;
  int syncs_asked = 0;
  std::string broke;
};

}  // namespace gnomon::shadow::testing
