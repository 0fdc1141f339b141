#include "topic/index.h"

#include <stdexcept>

#include "base/hash.h"
#include "base/limits.h"
#include "topic/filter.h"
#include "topic/interest.h"
#include "topic/topic.h"
#include "topic/trie.h"

namespace gnomon::topic {

struct SubscriptionIndex::State {
  State(std::uint64_t seed_, bool parents) : seed(seed_), wild(seed_, heap, parents) {}
  ~State() {
    exact.for_each([&](Filter& filter) { Filter::destroy(&filter, heap); });
    exact.clear(heap);
    wild.clear([&](Filter* filter) { Filter::destroy(filter, heap); });
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] std::uint64_t hash(std::string_view text) const { return keyed_hash(text, seed); }
  [[nodiscard]] Filter* find_exact(std::string_view text, std::uint64_t text_hash) const {
    return exact.find(text_hash, [&](const Filter& filter) { return filter.text() == text; });
  }

  Added add_to(Filter& filter, const Subscription& item) {
    if (Subscription* present = filter.find(item.subscriber); present != nullptr) {
      present->options = item.options;
      return {&filter, false, true};
    }
    filter.add(item, heap);
    ++subscriptions;
    return {&filter, false, false};
  }
  Added added_first(Filter* filter) {
    ++filters;
    ++subscriptions;
    return {filter, true, false};
  }

  Added add_exact(std::string_view text, const Subscription& item) {
    const std::uint64_t text_hash = hash(text);
    if (Filter* filter = find_exact(text, text_hash); filter != nullptr) {
      return add_to(*filter, item);
    }
    Filter* filter = Filter::make(text, item, false, heap);
    exact.insert(text_hash, filter, heap, [&](const Filter& other) { return hash(other.text()); });
    return added_first(filter);
  }
  Added add_wildcard(std::string_view text, const Subscription& item) {
    Filter*& filter = wild.at(text);
    if (filter != nullptr) return add_to(*filter, item);
    filter = Filter::make(text, item, true, heap);
    return added_first(filter);
  }

  const std::uint64_t seed;
  Heap heap;
  PointerTable<Filter> exact;
  Trie<Filter*> wild;
  std::size_t filters = 0, subscriptions = 0;
};

SubscriptionIndex::SubscriptionIndex(std::uint64_t seed, bool parents)
    : state_(std::make_unique<State>(seed, parents)) {}
SubscriptionIndex::~SubscriptionIndex() = default;

std::string_view SubscriptionIndex::text(const Filter& filter) { return filter.text(); }

SubscriptionIndex::Added SubscriptionIndex::add(std::string_view filter, SubscriberId subscriber,
                                                Options options) {
  if (filter.size() > limits::topic_bytes_max) throw std::logic_error("filter too long");
  const Subscription item{subscriber, options};
  return has_wildcard(filter) ? state_->add_wildcard(filter, item)
                              : state_->add_exact(filter, item);
}

SubscriptionIndex::Removed SubscriptionIndex::remove(std::string_view filter,
                                                     SubscriberId subscriber) {
  Filter* place = find(filter);
  return place == nullptr ? Removed{false, false} : remove(*place, subscriber);
}

SubscriptionIndex::Removed SubscriptionIndex::remove(Filter& filter, SubscriberId subscriber) {
  State& state = *state_;
  Subscription* item = filter.find(subscriber);
  if (item == nullptr) return {false, false};
  --state.subscriptions;
  if (filter.size() > 1) {
    filter.remove(item, state.heap);
    return {true, false};
  }
  --state.filters;
  if (filter.wildcard()) {
    state.wild.erase(filter.text());
  } else {
    state.exact.erase(state.hash(filter.text()), &filter, state.heap);
  }
  Filter::destroy(&filter, state.heap);
  return {true, true};
}

SubscriptionIndex::Filter* SubscriptionIndex::find(std::string_view filter) const {
  if (!has_wildcard(filter)) return state_->find_exact(filter, state_->hash(filter));
  Filter* const* place = state_->wild.find(filter);
  return place == nullptr ? nullptr : *place;
}

std::optional<Options> SubscriptionIndex::options(Filter& filter, SubscriberId subscriber) {
  const Subscription* item = filter.find(subscriber);
  return item == nullptr ? std::nullopt : std::optional(item->options);
}

void SubscriptionIndex::match(std::string_view name, std::vector<Subscription>& out) const {
  const State& state = *state_;
  if (state.exact.size() != 0) {
    const Filter* filter = state.find_exact(name, state.hash(name));
    if (filter != nullptr) filter->append_to(out);
  }
  if (!state.wild.empty()) {
    state.wild.match(name, [&](const Filter* filter) { filter->append_to(out); });
  }
}

bool SubscriptionIndex::shares_hash(std::string_view filter) const {
  // exact_hash() is a part of the hash that the table is kept by, and tells its segment and tag.
  const std::uint64_t shared = exact_hash(filter, state_->seed);
  return state_->exact.find(state_->hash(filter), [&](const Filter& other) {
    return other.text() != filter && exact_hash(other.text(), state_->seed) == shared;
  }) != nullptr;
}

std::size_t SubscriptionIndex::filters() const { return state_->filters; }
std::size_t SubscriptionIndex::subscriptions() const { return state_->subscriptions; }
std::size_t SubscriptionIndex::memory_bytes() const {
  return sizeof(State) + state_->heap.held() + state_->exact.segment_bytes() +
         state_->wild.edge_bytes();
}

}  // namespace gnomon::topic
