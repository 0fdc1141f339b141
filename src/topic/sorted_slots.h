// SortedSlots: the one hash table under this module's structures. Internal to topic.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "topic/heap.h"

namespace gnomon::topic {

// SortedSlots: a set of words in open addressing with linear probing, kept in the order of their
// *places* (their upper `place_bits` bits, which the caller takes from a hash). A word's home is
// its place scaled to the capacity, so the table is a sorted array with gaps ("ordered linear
// probing", Amble and Knuth 1974). That gives:
//   - a miss ends at the first larger place, so it costs what a hit costs, at a load of 0.8 too;
//   - any capacity will do, and growing is one sweep from left to right that looks at nothing but
//     the words: steps of a quarter, no doubling, no visit to what the words stand for;
//   - words of equal place lie side by side: it is a multiset for nothing.
// Probing does not wrap around; some slots follow the last home, and the last slot stays empty.
// All bits set means empty and is not a word.
// 16 bytes; a value with move only. Whoever owns it gives it the heap and calls clear() at the end.
template <class Word, int place_bits>
class SortedSlots {
 public:
  static constexpr Word empty_word = std::numeric_limits<Word>::max();

  SortedSlots() = default;
  SortedSlots(SortedSlots&& other) noexcept
      : words_(std::exchange(other.words_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  SortedSlots& operator=(SortedSlots&& other) noexcept {  // of one that was cleared
    words_ = std::exchange(other.words_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  SortedSlots(const SortedSlots&) = delete;
  SortedSlots& operator=(const SortedSlots&) = delete;
  ~SortedSlots() = default;

  static constexpr Word place_of(Word word) { return static_cast<Word>(word >> shift); }

  [[nodiscard]] std::size_t size() const { return size_; }

  // The first word of this place for which `test(word)` holds, or null. What lies below the place
  // may be changed through the result.
  template <class Test>
  Word* find(Word place, Test&& test) const {
    if (words_ == nullptr) return nullptr;
    for (Word* at = first_from(place); place_of(*at) == place && *at != empty_word; ++at) {
      if (test(*at)) return at;
    }
    return nullptr;
  }

  // Room for `count` words in all, so that inserting them moves nothing.
  void reserve(std::uint32_t count, Heap& heap) {
    if (capacity_for(count) > capacity_) rebuild(capacity_for(count), heap);
  }

  void insert(Word word, Heap& heap) {
    if ((std::uint64_t{size_} + 1) * 5 > std::uint64_t{capacity_} * 4) {
      rebuild(capacity_for(size_ + 1), heap);
    }
    for (;;) {
      Word* at = first_from(place_of(word));
      Word* gap = at;
      while (*gap != empty_word) ++gap;
      if (gap + 1 != words_ + limit()) {
        std::memmove(at + 1, at, static_cast<std::size_t>(gap - at) * sizeof(Word));
        *at = word;
        ++size_;
        return;
      }
      rebuild(capacity_, heap);  // the end has filled up: lay out again, with room behind
    }
  }

  // Takes out the word that find() returned.
  void erase(Word* at, Heap& heap) {
    Word* next = at + 1;
    while (*next != empty_word && words_ + home(place_of(*next)) < next) ++next;
    std::memmove(at, at + 1, static_cast<std::size_t>(next - at - 1) * sizeof(Word));
    next[-1] = empty_word;
    if (--size_ == 0) {
      clear(heap);
    } else if (capacity_ > 16 && size_ < capacity_ / 4) {
      rebuild(capacity_for(size_), heap);
    }
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0, left = size_; left > 0; ++i) {
      if (words_[i] == empty_word) continue;
      --left;
      visit(words_[i]);
    }
  }

  void clear(Heap& heap) {
    if (words_ != nullptr) heap.give_back(words_ - 1);
    *this = SortedSlots();
  }

 private:
  static constexpr int shift = std::numeric_limits<Word>::digits - place_bits;

  // A load of 0.64, so that the next growth, at 0.8, is a quarter away.
  static std::uint32_t capacity_for(std::uint32_t size) {
    return static_cast<std::uint32_t>(std::uint64_t{size} * 25 / 16 + 2);
  }
  static std::size_t home_in(std::uint32_t capacity, Word place) {
    return static_cast<std::size_t>(std::uint64_t{place} * capacity >> place_bits);
  }
  [[nodiscard]] std::size_t home(Word place) const { return home_in(capacity_, place); }
  [[nodiscard]] std::size_t limit() const { return words_[-1]; }

  // The first slot from the place's home on that is empty or has a place not below it.
  Word* first_from(Word place) const {
    Word* at = words_ + home(place);
    while (place_of(*at) < place) ++at;
    return at;
  }

  void rebuild(std::uint32_t capacity, Heap& heap) {
    std::size_t end = 0;  // behind the last word in the new layout
    for_each([&](Word word) { end = std::max(end, home_in(capacity, place_of(word))) + 1; });
    const std::size_t slots = std::max<std::size_t>(end, capacity) + 2 + size_ / 64;
    const std::size_t bytes = Heap::whole_block((slots + 1) * sizeof(Word));
    auto* words = static_cast<Word*>(heap.take(bytes)) + 1;
    words[-1] = static_cast<Word>(bytes / sizeof(Word) - 1);
    std::memset(words, 0xff, bytes - sizeof(Word));
    std::size_t next = 0;
    for_each([&](Word word) {
      next = std::max(next, home_in(capacity, place_of(word)));
      words[next++] = word;
    });
    if (words_ != nullptr) heap.give_back(words_ - 1);
    words_ = words;
    capacity_ = capacity;
  }

  Word* words_ = nullptr;       // the slots; in front of them their number
  std::uint32_t capacity_ = 0;  // number of homes
  std::uint32_t size_ = 0;
};

}  // namespace gnomon::topic
