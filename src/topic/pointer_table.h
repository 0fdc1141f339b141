// PointerTable: hash → things on the heap that know their own key. Internal to topic.
#pragma once

#include <bit>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "topic/sorted_slots.h"

namespace gnomon::topic {

// Of a 64-bit hash the upper 20 bits (the tag) order and tell apart what is in one segment, and
// the lower 15 choose the segment.
constexpr int tag_bits = 20;
constexpr int segment_bits = 15;

// PointerTable: a multimap from 64-bit hashes to objects of T, 8 bytes a slot: the tag beside a
// 44-bit pointer (48 bits, aligned to 16), so a probe touches an object only if 20 bits agree.
// It is cut into segments of about a thousand slots, which grow each for itself; when they are
// full, one of them is split in two ("linear hashing", Litwin 1980). So no insertion moves
// more than a few thousand words: a shard with a million filters never stops to rehash.
// Segments are not merged again: an empty one holds 16 bytes.
// Owner: one index. Does not own the objects.
template <class T>
class PointerTable {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }

  // The first object with this tag and segment for which `test(object)` holds, or null.
  template <class Test>
  T* find(std::uint64_t hash, Test&& test) const {
    if (size_ == 0) return nullptr;
    const Word* word = segments_[segment(hash)].find(
        hash >> pointer_bits, [&](Word candidate) { return test(*pointer(candidate)); });
    return word == nullptr ? nullptr : pointer(*word);
  }

  // `hash_of(object)`: the hash of an object that is in the table already; its lower 15 bits do.
  template <class HashOf>
  void insert(std::uint64_t hash, T* object, Heap& heap, HashOf&& hash_of) {
    if (segments_.empty()) segments_.emplace_back();
    if (size_ >= segments_.size() * segment_size && segments_.size() < segments_max) {
      split(heap, hash_of);
    }
    segments_[segment(hash)].insert(word(hash, object), heap);
    ++size_;
  }

  // Takes out `object`, which is in the table under `hash`.
  void erase(std::uint64_t hash, const T* object, Heap& heap) {
    Segment& home = segments_[segment(hash)];
    const Word wanted = word(hash, object);
    home.erase(home.find(hash >> pointer_bits, [&](Word w) { return w == wanted; }), heap);
    --size_;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Segment& each : segments_) {
      each.for_each([&](Word word) { visit(*pointer(word)); });
    }
  }

  void clear(Heap& heap) {
    for (Segment& each : segments_) each.clear(heap);
    segments_.clear();
    size_ = 0;
  }

  // Bytes held beside the heap's.
  [[nodiscard]] std::size_t segment_bytes() const { return segments_.capacity() * sizeof(Segment); }

 private:
  using Word = std::uint64_t;
  using Segment = SortedSlots<Word, tag_bits>;
  static constexpr int pointer_bits = 64 - tag_bits;
  static constexpr std::size_t segment_size = 1024;  // words, on average, when a split is due
  static constexpr std::size_t segments_max = std::size_t{1} << segment_bits;
  static_assert(sizeof(T*) == 8);

  static Word word(std::uint64_t hash, const T* object) {
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    if ((address & 15) != 0 || address >> 48 != 0) [[unlikely]] {
      throw std::logic_error("PointerTable: a pointer of more than 44 significant bits");
    }
    return (hash >> pointer_bits << pointer_bits) | address >> 4;
  }
  static T* pointer(Word word) {
    return reinterpret_cast<T*>((word & ((Word{1} << pointer_bits) - 1)) << 4);
  }

  // With n segments a hash belongs to the segment of its lowest bits, as many as n needs; if there
  // is no such segment yet, one bit less leads to the segment that will be split to make it.
  [[nodiscard]] std::size_t segment(std::uint64_t hash) const {
    const std::size_t mask = std::bit_ceil(segments_.size()) - 1;
    const std::size_t index = hash & mask;
    return index < segments_.size() ? index : index & (mask >> 1);
  }

  template <class HashOf>
  void split(Heap& heap, HashOf& hash_of) {
    const std::size_t bit = std::bit_floor(segments_.size());
    const std::size_t from = segments_.size() ^ bit;
    Segment stay, leave;
    const auto half = static_cast<std::uint32_t>(segments_[from].size() / 2);
    stay.reserve(half, heap);
    leave.reserve(half, heap);
    segments_[from].for_each([&](Word word) {
      ((hash_of(*pointer(word)) & bit) != 0 ? leave : stay).insert(word, heap);
    });
    segments_[from].clear(heap);
    segments_[from] = std::move(stay);
    segments_.push_back(std::move(leave));
  }

  std::vector<Segment> segments_;
  std::size_t size_ = 0;
};

}  // namespace gnomon::topic
