#include "base/bytes.h"

#include <algorithm>

namespace gnomon {

void Buffer::make_room(std::size_t count) {
  const std::size_t used = size();
  // The front is reclaimed by moving only when that frees at least half, so that the copying stays
  // linear in the bytes that pass through.
  if (begin_ >= used && capacity_ - used >= count) {
    std::memmove(data_, data_ + begin_, used);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(used);
    return;
  }
  constexpr std::size_t buffer_max = 2 * GiB;
  const std::size_t need = end_ + count;
  if (need > buffer_max) throw std::bad_alloc();
  const std::size_t capacity =
      std::min(buffer_max, std::max({need, std::size_t{capacity_} * 2, std::size_t{256}}));
  auto* grown = static_cast<std::uint8_t*>(std::realloc(data_, capacity));
  if (grown == nullptr) throw std::bad_alloc();
  data_ = grown;
  capacity_ = static_cast<std::uint32_t>(capacity);
}

}  // namespace gnomon
