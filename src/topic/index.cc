#include "topic/index.h"

#include "topic/filter.h"
#include "topic/interest.h"
#include "topic/pointer_table.h"
#include "topic/topic.h"
#include "topic/trie.h"

namespace gnomon::topic {

struct SubscriptionIndex::State {
  explicit State(std::uint64_t given) : seed(given), wild(given, heap) {}
  ~State() {
    exact.for_each([&](Filter& filter) { Filter::destroy(&filter, heap); });
    exact.clear(heap);
    wild.clear([&](Filter*& filter) { Filter::destroy(filter, heap); });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A filter's hash in the table: all of exact_hash(), whose lower bits stand twice, since the
  // table takes a tag from the upper end and a segment from the lower one. So filters that share
  // their exact_hash lie side by side.
  [[nodiscard]] std::uint64_t hash(std::string_view filter) const {
    const std::uint64_t exact_bits = exact_hash(filter, seed);
    constexpr std::uint64_t low = (std::uint64_t{1} << segment_bits) - 1;
    return (exact_bits << 8 & ~low) | (exact_bits & low);
  }
  [[nodiscard]] Filter* find_exact(std::string_view filter, std::uint64_t hashed) const {
    return exact.find(hashed, [&](const Filter& other) { return other.text() == filter; });
  }

  std::uint64_t seed;
  Heap heap;
  PointerTable<Filter> exact;
  Trie<Filter*> wild;
  std::size_t wild_filters = 0;
  std::size_t subscriptions = 0;
};

SubscriptionIndex::SubscriptionIndex(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
SubscriptionIndex::~SubscriptionIndex() = default;

std::string_view SubscriptionIndex::text(const Filter& filter) { return filter.text(); }

SubscriptionIndex::Filter* SubscriptionIndex::find(std::string_view filter) const {
  if (!has_wildcard(filter)) return state_->find_exact(filter, state_->hash(filter));
  Filter** found = state_->wild.find(filter);
  return found == nullptr ? nullptr : *found;
}

SubscriptionIndex::Added SubscriptionIndex::add(std::string_view filter, SubscriberId subscriber,
                                                Options options) {
  const Subscription item{subscriber, options};
  const bool wildcard = has_wildcard(filter);
  const std::uint64_t hash = wildcard ? 0 : state_->hash(filter);
  Filter** place = wildcard ? &state_->wild.at(filter) : nullptr;
  Filter* known = wildcard ? *place : state_->find_exact(filter, hash);
  if (known == nullptr) {
    Filter* made = Filter::make(filter, item, wildcard, state_->heap);
    if (wildcard) {
      *place = made;
      ++state_->wild_filters;
    } else {
      state_->exact.insert(hash, made, state_->heap,
                           [this](const Filter& other) { return state_->hash(other.text()); });
    }
    ++state_->subscriptions;
    return {made, true, false};
  }
  if (Subscription* old = known->find(subscriber)) {
    *old = item;
    return {known, false, true};
  }
  known->add(item, state_->heap);
  ++state_->subscriptions;
  return {known, false, false};
}

SubscriptionIndex::Removed SubscriptionIndex::remove(std::string_view filter,
                                                     SubscriberId subscriber) {
  Filter* found = find(filter);
  return found == nullptr ? Removed{false, false} : remove(*found, subscriber);
}

SubscriptionIndex::Removed SubscriptionIndex::remove(Filter& filter, SubscriberId subscriber) {
  Subscription* item = filter.find(subscriber);
  if (item == nullptr) return {false, false};
  --state_->subscriptions;
  if (filter.size() > 1) {
    filter.remove(item, state_->heap);
    return {true, false};
  }
  if (filter.wildcard()) {
    state_->wild.erase(filter.text());
    --state_->wild_filters;
  } else {
    state_->exact.erase(state_->hash(filter.text()), &filter, state_->heap);
  }
  Filter::destroy(&filter, state_->heap);
  return {true, true};
}

void SubscriptionIndex::match(std::string_view name, std::vector<Subscription>& out) const {
  if (state_->exact.size() > 0) {
    if (const Filter* filter = state_->find_exact(name, state_->hash(name))) {
      filter->append_to(out);
    }
  }
  if (state_->wild.empty()) return;
  state_->wild.match(name, [&](const Filter* filter) { filter->append_to(out); });
}

bool SubscriptionIndex::shares_hash(std::string_view filter) const {
  const std::uint64_t hash = state_->hash(filter);
  return state_->exact.find(hash, [&](const Filter& other) {
    return other.text() != filter && state_->hash(other.text()) == hash;
  }) != nullptr;
}

std::size_t SubscriptionIndex::filters() const {
  return state_->exact.size() + state_->wild_filters;
}
std::size_t SubscriptionIndex::subscriptions() const { return state_->subscriptions; }

std::size_t SubscriptionIndex::memory_bytes() const {
  return sizeof(State) + state_->heap.held() + state_->exact.segment_bytes() +
         state_->wild.edge_bytes();
}

}  // namespace gnomon::topic
