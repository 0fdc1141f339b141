// SubscriptionIndex: which subscribers want a topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace gnomon::topic {

using SubscriberId = std::uint32_t;

// A subscription's options (MQTT 5 §3.8.3.1) and identifier.
struct Options {
  std::uint8_t qos : 2 = 0;  // the granted maximum
  std::uint8_t no_local : 1 = 0;
  std::uint8_t retain_as_published : 1 = 0;
  std::uint8_t retain_handling : 2 = 0;
  std::uint32_t identifier = 0;  // §3.8.2.1.2; 0: none; at most 268,435,455
  bool operator==(const Options&) const = default;
};

struct Subscription {
  SubscriberId subscriber = 0;
  Options options;
  bool operator==(const Subscription&) const = default;
};

// SubscriptionIndex: filters → subscribers, for one shard or slot.
// Exact filters live in an open-addressing table, keyed by a seeded hash; those with wildcards in a
// trie. Memory per exact filter with one subscriber: one heap block (20 bytes, then the text) and a
// table slot of 8 bytes at a load of 0.64–0.8. Nothing recurses per level, and nothing is ever
// rehashed as a whole.
// Owner:   one shard or slot. Not thread-safe. Not movable.
class SubscriptionIndex {
 public:
  // `seed`: keys the hashes; random, the same in all indexes of a process (see exact_hash).
  // `parents`: `a/#` matches `a` (MQTT 5 §4.7.1.2); in AWS IoT it does not.
  explicit SubscriptionIndex(std::uint64_t seed, bool parents = true);
  ~SubscriptionIndex();
  SubscriptionIndex(const SubscriptionIndex&) = delete;
  SubscriptionIndex& operator=(const SubscriptionIndex&) = delete;

  // A filter's place in the index: stays valid as long as the filter has a subscriber. A session
  // keeps these (8 bytes each) instead of the filters' texts.
  class Filter;
  [[nodiscard]] static std::string_view text(const Filter& filter);

  struct Added {
    Filter* filter;
    bool first_subscriber;  // the filter had none before
    bool replaced;          // this subscriber had it already; its options were replaced (§3.8.4)
  };
  // Adds or replaces the subscription of `subscriber` to the valid, unshared `filter`.
  Added add(std::string_view filter, SubscriberId subscriber, Options options);

  struct Removed {
    bool existed;
    bool last_subscriber;  // the filter has none now, and its Filter is gone
  };
  Removed remove(std::string_view filter, SubscriberId subscriber);
  Removed remove(Filter& filter, SubscriberId subscriber);
  // The place of `filter` if anyone subscribes to it, else null.
  [[nodiscard]] Filter* find(std::string_view filter) const;

  // The options of one subscriber to a filter; nullopt: it does not subscribe to it.
  [[nodiscard]] static std::optional<Options> options(Filter& filter, SubscriberId subscriber);

  // Appends the subscriptions whose filters match the valid topic name, filter by filter, in no
  // particular order. A subscriber with several matching filters appears several times.
  void match(std::string_view name, std::vector<Subscription>& out) const;

  // True if some *other* exact filter than `filter` in this index has its exact_hash: then the
  // directory already names this owner for it (InterestDirectory), and goes on to.
  [[nodiscard]] bool shares_hash(std::string_view filter) const;

  [[nodiscard]] std::size_t filters() const;
  [[nodiscard]] std::size_t subscriptions() const;
  // Heap bytes held, for the bench's bytes per filter.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gnomon::topic
