// Heap: memory blocks, and how many bytes they take. Internal to topic.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace gnomon::topic {

// Heap: malloc that keeps count, allocator overhead included, so that what an index holds can be
// asked at any time for nothing.
// Owner: one index or directory. Not thread-safe.
class Heap {
 public:
  void* take(std::size_t bytes) {
    void* block = std::malloc(bytes);
    if (block == nullptr) throw std::bad_alloc();
    held_ += malloc_usable_size(block) + overhead;
    return block;
  }
  void give_back(void* block) {
    if (block == nullptr) return;
    held_ -= malloc_usable_size(block) + overhead;
    std::free(block);
  }
  // The largest request that costs no more than one of `bytes`: glibc's blocks are 24, 40, 56 …
  static constexpr std::size_t whole_block(std::size_t bytes) {
    return bytes <= 24 ? 24 : (bytes + 7) / 16 * 16 + 8;
  }
  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  static constexpr std::size_t overhead = 8;  // glibc's size word in front of each block

  std::size_t held_ = 0;
};

}  // namespace gnomon::topic
