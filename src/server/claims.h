// Claims: fleet provisioning by MQTT, from the broker's reserved topics to the pool and back.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "broker/reserved_topics.h"
#include "metrics/metrics.h"
#include "provisioning/claim_topics.h"
#include "runtime/pool.h"

namespace gnomon::server {

// Claims: a bounded number at a time (limits::claims_open_max): each may make a key. More are
// rejected with 429. An answer leaves when what it tells of is durable. Owner: the server, whose
// pool ends before it. Threads: any.
class Claims {
 public:
  using WhenDurable =
      std::function<void(store::Sequence, registry::Effects, std::function<void()> then)>;
  struct Setup {
    provisioning::Provisioning& provisioning;
    runtime::Pool& pool;
    WhenDurable when_durable;
  };
  explicit Claims(Setup setup) : setup_(std::move(setup)) {}
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  [[nodiscard]] static bool takes(std::string_view topic);
  // As broker::ReservedTopics says.
  using Later = broker::ReservedTopics::Later;
  void publish(const broker::ReservedPublish& request, Later answer);

  [[nodiscard]] metrics::Sample sample() const;

 private:
  enum class Result : std::uint8_t { accepted, rejected, busy, count_ };
  static constexpr std::size_t results = static_cast<std::size_t>(Result::count_);
  // One request on its way.
  struct Request;
  void serve(const std::shared_ptr<Request>& request);
  void count(Result result) {
    counts_[static_cast<std::size_t>(result)].fetch_add(1, std::memory_order_relaxed);
  }

  const Setup setup_;
  std::atomic<int> open_{0};
  std::array<std::atomic<std::uint64_t>, results> counts_{};
};

}  // namespace gnomon::server
