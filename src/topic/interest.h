// InterestDirectory: which *other* owners want a topic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace gnomon::topic {

using OwnerId = std::uint8_t;     // < limits::shards_max
using OwnerMask = std::uint64_t;  // bit n: owner n

// The hash that stands for an exact filter between owners, less than 2^35; every owner uses one
// seed.
[[nodiscard]] std::uint64_t exact_hash(std::string_view filter, std::uint64_t seed);

// InterestDirectory: what a shard knows of the subscriptions of the others. Exact filters are
// hashes only: 4 bytes per (hash, owner) in a flat table at a load of 0.64–0.8, so a million
// filters of others cost little; a false positive (with a million filters, one of 30,000 topics
// that nobody wants) is harmless, since the owner matches again. Filters with wildcards are kept in
// a trie, with an owner mask each. Only the change 0↔1 per (filter, owner) arrives here. Owner: one
// shard. Not thread-safe. Not movable.
class InterestDirectory {
 public:
  explicit InterestDirectory(std::uint64_t seed);
  ~InterestDirectory();
  InterestDirectory(const InterestDirectory&) = delete;
  InterestDirectory& operator=(const InterestDirectory&) = delete;

  // `hash`: of exact_hash(); `owner`: < 64. Idempotent: adding what is there or removing what is
  // not changes nothing.
  void add_exact(std::uint64_t hash, OwnerId owner);
  void remove_exact(std::uint64_t hash, OwnerId owner);
  void add_wildcard(std::string_view filter, OwnerId owner);
  void remove_wildcard(std::string_view filter, OwnerId owner);

  // The owners that may have a subscriber for the topic name.
  [[nodiscard]] OwnerMask match(std::string_view name) const;

  // Heap bytes held.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gnomon::topic
