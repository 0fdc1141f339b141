// SubscriptionIndex::Filter: a filter that someone subscribes to. Internal to topic.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "topic/index.h"
#include "topic/sorted_slots.h"

namespace gnomon::topic {

// SubscriberList: the subscriptions of a filter that has more than one. Their order means nothing:
// the last one takes the place of one that goes. From some size on, a table from subscriber to
// position replaces the search, so that an audience of 100,000 can leave one by one.
// Owner: a Filter. Whoever destroys it calls clear() first.
class SubscriberList {
 public:
  [[nodiscard]] std::span<const Subscription> items() const { return {items_, size_}; }

  [[nodiscard]] Subscription* find(SubscriberId subscriber) {
    if (positions_.size() == 0) {
      for (std::size_t i = 0; i < size_; ++i) {
        if (items_[i].subscriber == subscriber) return &items_[i];
      }
      return nullptr;
    }
    const std::uint64_t* slot = slot_of(subscriber);
    return slot == nullptr ? nullptr : &items_[static_cast<std::uint32_t>(*slot)];
  }

  // Adds one whose subscriber is not in the list.
  void add(const Subscription& item, Heap& heap) {
    if (size_ == capacity_) resize(std::max(4U, capacity_ * 2), heap);
    items_[size_++] = item;
    if (positions_.size() != 0) {
      positions_.insert(slot_word(size_ - 1), heap);
    } else if (size_ > searched_max) {
      positions_.reserve(size_, heap);
      for (std::uint32_t i = 0; i < size_; ++i) positions_.insert(slot_word(i), heap);
    }
  }

  // Takes out `item`, which find() returned.
  void remove(Subscription* item, Heap& heap) {
    const Subscription& last = items_[size_ - 1];
    if (positions_.size() != 0) {
      // If `item` is the last one, the first line changes nothing.
      *slot_of(last.subscriber) = slot_word(static_cast<std::uint32_t>(item - items_), last);
      positions_.erase(slot_of(item->subscriber), heap);
    }
    *item = last;
    --size_;
    if (size_ <= searched_max / 2) positions_.clear(heap);
    if (size_ > 4 && size_ < capacity_ / 4) resize(size_ * 2, heap);
  }

  void clear(Heap& heap) {
    positions_.clear(heap);
    heap.give_back(items_);
  }

 private:
  // Up to here going through the list (12 bytes each) is as fast as asking a table.
  static constexpr std::size_t searched_max = 48;

  // A bijection of 32 bits ("lowbias32", C. Wellons): the place is as good as the subscriber.
  static std::uint64_t place(SubscriberId subscriber) {
    std::uint32_t x = subscriber;
    x = (x ^ (x >> 16)) * 0x7feb352d;
    x = (x ^ (x >> 15)) * 0x846ca68b;
    return x ^ (x >> 16);
  }
  static std::uint64_t slot_word(std::uint32_t position, const Subscription& item) {
    return place(item.subscriber) << 32 | position;
  }
  [[nodiscard]] std::uint64_t slot_word(std::uint32_t position) const {
    return slot_word(position, items_[position]);
  }
  [[nodiscard]] std::uint64_t* slot_of(SubscriberId subscriber) const {
    return positions_.find(place(subscriber), [](std::uint64_t) { return true; });
  }

  void resize(std::uint32_t capacity, Heap& heap) {
    auto* items = static_cast<Subscription*>(heap.take(capacity * sizeof(Subscription)));
    if (size_ > 0) std::memcpy(items, items_, size_ * sizeof(Subscription));
    heap.give_back(items_);
    items_ = items;
    capacity_ = capacity;
  }

  static_assert(std::is_trivially_copyable_v<Subscription>);

  Subscription* items_ = nullptr;
  std::uint32_t size_ = 0, capacity_ = 0;
  SortedSlots<std::uint64_t, 32> positions_;  // place of the subscriber | position in items_
};

// One block on the heap: this, then the text. The first subscription is inside, and as long as
// there is no second one that is all.
class SubscriptionIndex::Filter {
 public:
  static Filter* make(std::string_view text, const Subscription& first, bool wildcard, Heap& heap) {
    void* block = heap.take(std::max(sizeof(Filter), text_at() + text.size()));
    auto* filter = new (block) Filter(first, static_cast<std::uint16_t>(text.size()), wildcard);
    std::memcpy(static_cast<char*>(block) + text_at(), text.data(), text.size());
    return filter;
  }
  static void destroy(Filter* filter, Heap& heap) {
    if (filter->listed_) filter->drop_list(heap);
    heap.give_back(filter);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(this) + text_at(), length_};
  }
  [[nodiscard]] bool wildcard() const { return wildcard_; }
  [[nodiscard]] std::size_t size() const { return listed_ ? list_->items().size() : 1; }

  void append_to(std::vector<Subscription>& out) const {
    if (!listed_) {
      out.push_back(one_);
    } else {
      out.insert(out.end(), list_->items().begin(), list_->items().end());
    }
  }

  [[nodiscard]] Subscription* find(SubscriberId subscriber) {
    if (listed_) return list_->find(subscriber);
    return one_.subscriber == subscriber ? &one_ : nullptr;
  }

  // Adds one whose subscriber is not here.
  void add(const Subscription& item, Heap& heap) {
    if (!listed_) {
      auto* list = new (heap.take(sizeof(SubscriberList))) SubscriberList();
      list->add(one_, heap);
      list_ = list;
      listed_ = true;
    }
    list_->add(item, heap);
  }

  // Takes out `item`, which find() returned and which is not the only one.
  void remove(Subscription* item, Heap& heap) {
    list_->remove(item, heap);
    if (list_->items().size() > 1) return;
    const Subscription last = list_->items().front();
    drop_list(heap);
    one_ = last;
  }

 private:
  Filter(const Subscription& first, std::uint16_t length, bool wildcard)
      : one_(first), length_(length), wildcard_(wildcard) {}
  ~Filter() = default;

  // Right behind the last member: what would be padding holds the first bytes.
  static constexpr std::size_t text_at() { return offsetof(Filter, listed_) + sizeof(bool); }

  void drop_list(Heap& heap) {
    list_->clear(heap);
    list_->~SubscriberList();
    heap.give_back(list_);
    listed_ = false;
  }

  union {
    Subscription one_;      // if not listed_
    SubscriberList* list_;  // if listed_
  };
  std::uint16_t length_;  // of the text
  bool wildcard_;
  bool listed_ = false;
};

}  // namespace gnomon::topic
