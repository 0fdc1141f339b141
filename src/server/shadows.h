// Shadows: device shadows, from whoever asks to the thread of the thing's slot and back.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/profile.h"
#include "broker/reserved_topics.h"
#include "broker/shard.h"
#include "metrics/metrics.h"
#include "partition/syncer.h"
#include "runtime/loop.h"
#include "runtime/mailbox.h"
#include "runtime/pool.h"
#include "shadow/partition.h"
#include "shadow/service.h"
#include "store/store.h"

namespace gnomon::server {

// Shadows: a partition beside each shard, on its loop, for the things of the same slots. What is
// asked of one and not answered is bounded, counted and in bytes: more is refused at once, before
// any of it is copied. Each partition sweeps now and then what was deleted long ago. Owner: the
// server. Threads: takes(), request() and ask() any; sample()
// the shard's; the rest before the loops start.
class Shadows final : public shadow::Service {
 public:
  struct Setup {
    const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
    const std::vector<std::unique_ptr<broker::Shard>>& shards;
    store::Store& store;
    partition::Syncer& syncer;
    runtime::Pool& pool;  // for cold reads, and to look what is to be swept
    std::function<void(const Error&)> on_broken;
    shadow::Limits limits;
    const broker::Profile& profile;  // what one thing may ask
  };
  explicit Shadows(const Setup& setup);
  ~Shadows() override;
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  [[nodiscard]] static bool takes(std::string_view topic);
  // A PUBLISH to such a topic. `taken`: as broker::ReservedTopics says; quota_exceeded if too many
  // wait.
  void request(const broker::ReservedPublish& request, broker::ReservedTopics::Taken taken);
  // `request.then` is called on the loop of the thing's slot; at once, with 429, if too many wait.
  void ask(shadow::Request request) override;

  // What is indexed of the shadows from now on. `then` is called once all shards know, on the loop
  // of the last one. Any thread.
  void set_index(const std::shared_ptr<const index::Configuration>& what,
                 const std::function<void()>& then);

  // Of one shard's things; on its loop.
  [[nodiscard]] metrics::Sample sample(std::size_t shard) const;

 private:
  class Lane;
  [[nodiscard]] Lane& lane_of(const std::string& thing) const;

  const std::size_t request_bytes_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by shard
};

}  // namespace gnomon::server
