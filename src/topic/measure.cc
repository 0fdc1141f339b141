#include "topic/measure.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace gnomon::topic {
namespace {

constexpr std::uint64_t seed = 0x5bd1e9955bd1e995;

double thread_cpu_ns() {
  timespec at{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
}

// The `number`-th filter: "site/7/d-00001234/temp".
class FilterText {
 public:
  std::string_view of(std::size_t number) {
    for (std::size_t digit = 8; digit > 0; --digit, number /= 10) {
      text_[first_digit + digit - 1] = static_cast<char>('0' + number % 10);
    }
    return {text_.data(), text_.size()};
  }

 private:
  static constexpr std::size_t first_digit = 9;
  std::array<char, 22> text_{'s', 'i', 't', 'e', '/', '7', '/', 'd', '-', '0', '0',
                             '0', '0', '0', '0', '0', '0', '/', 't', 'e', 'm', 'p'};
};

struct Shard {
  SubscriptionIndex index{seed};
  InterestDirectory interest{seed};
};

// Calls act(number, text, home shard, exact hash) for each filter; returns CPU ns per filter.
template <class Act>
double timed(std::size_t filters, std::size_t shards, Act&& act) {
  FilterText text;
  const double start = thread_cpu_ns();
  for (std::size_t i = 0; i < filters; ++i) {
    const std::string_view filter = text.of(i);
    act(i, filter, stable_hash(filter) % shards, exact_hash(filter, seed));
  }
  return (thread_cpu_ns() - start) / static_cast<double>(filters);
}

}  // namespace

SubscriptionCost measure_subscriptions(int shard_count, std::size_t filters) {
  std::vector<std::unique_ptr<Shard>> shards;
  for (int i = 0; i < shard_count; ++i) shards.push_back(std::make_unique<Shard>());
  const auto tell_others = [&](std::size_t home, auto&& tell) {
    for (std::size_t i = 0; i < shards.size(); ++i) {
      if (i != home) tell(shards[i]->interest);
    }
  };
  std::vector<SubscriptionIndex::Filter*> places(filters);

  SubscriptionCost cost;
  cost.subscribe_ns = timed(filters, shards.size(), [&](auto i, auto text, auto home, auto hash) {
    places[i] = shards[home]->index.add(text, static_cast<SubscriberId>(i), {}).filter;
    const auto owner = static_cast<OwnerId>(home);
    tell_others(home, [&](InterestDirectory& other) { other.add_exact(hash, owner); });
  });
  for (const auto& shard : shards) {
    cost.index_bytes += static_cast<double>(shard->index.memory_bytes());
    cost.directory_bytes += static_cast<double>(shard->interest.memory_bytes());
  }
  cost.index_bytes /= static_cast<double>(filters);
  cost.directory_bytes /= static_cast<double>(filters);

  std::vector<Subscription> found;
  cost.match_ns = timed(filters, shards.size(), [&](auto, auto text, auto home, auto) {
    found.clear();
    shards[home]->index.match(text, found);
  });
  cost.unsubscribe_ns = timed(filters, shards.size(), [&](auto i, auto text, auto home, auto hash) {
    SubscriptionIndex& index = shards[home]->index;
    const auto removed = index.remove(*places[i], static_cast<SubscriberId>(i));
    if (!removed.last_subscriber || index.shares_hash(text)) return;
    const auto owner = static_cast<OwnerId>(home);
    tell_others(home, [&](InterestDirectory& other) { other.remove_exact(hash, owner); });
  });
  return cost;
}

}  // namespace gnomon::topic
