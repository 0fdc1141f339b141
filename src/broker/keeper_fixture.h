// Test fixture: what a keeper needs of a shard, without one. For tests of this module only.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "broker/keeper.h"

namespace gnomon::broker::testing {

// A shard that notes what its keeper tells it.
class Host final : public KeeperHost {
 public:
  void send(ShardId, Mail mail) override {
    if (const auto* grant = std::get_if<Grant>(&mail)) granted = grant->kept->session;
    if (const auto* grant = std::get_if<Grant>(&mail)) generation = grant->generation;
  }
  void deliver(const ConnectionRef&, const Delivery&) override {}
  std::uint64_t interest_changed(std::string_view, bool wanted) override {
    interest += wanted ? 1 : -1;
    return 0;
  }
  void answer(ShardId, Change) override {}
  bool forward(const message::Message&, const Forwarded&) override { return true; }
  void share_interest(std::string_view, std::uint32_t, bool) override {}
  void answer(ShardId, ShareJoined) override {}
  void join(std::vector<ShareJoin>, ShardId, Change) override {}
  void acknowledge(const Acks::Shared&) override {}
  [[nodiscard]] std::vector<std::uint64_t> seen() const override { return {}; }
  void changed() override {}
  void publish(const message::Message& message) override {
    published.emplace_back(std::string(message.topic), std::string(as_text(message.payload)));
  }
  std::string wanted_event(EventKind kind, std::string_view client_id) override {
    return event_topic(kind, client_id);
  }
  void read_page(const PageRequest&) override {}
  void read_retained(const RetainedRequest&) override {}
  void request_sync() override {}
  void broken(const Error&) override {}
  [[nodiscard]] WallTime wall_now() const override { return time; }
  [[nodiscard]] Instant now() const override { return {}; }

  WallTime time{1'700'000'000'000};
  SeededRandom random{1};
  std::vector<std::pair<std::string, std::string>> published;  // topic, payload
  int interest = 0;
  std::uint32_t granted = 0;
  Generation generation = 0;
};

}  // namespace gnomon::broker::testing
