// Bytes: views and the growable buffer that all input and output passes through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace gnomon {

using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;
constexpr std::size_t GiB = 1024 * MiB;

// Buffer: bytes appended at the end and consumed at the front. Unlike std::vector it leaves new
// room uninitialised, grows in place where the allocator can, and is 24 bytes. An empty one holds
// no memory, so an idle connection can own one for nothing.
// A value with move only; not thread-safe.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      std::free(data_);
      data_ = std::exchange(other.data_, nullptr);
      begin_ = std::exchange(other.begin_, 0);
      end_ = std::exchange(other.end_, 0);
      capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] const std::uint8_t* data() const { return data_ + begin_; }
  [[nodiscard]] std::uint8_t* data() { return data_ + begin_; }
  [[nodiscard]] ByteView view() const { return {data_ + begin_, size()}; }

  // Room for `count` more bytes at the end; returns where they start. Follow with `grew`.
  std::uint8_t* room(std::size_t count) {
    if (capacity_ - end_ < count) [[unlikely]]
      make_room(count);
    return data_ + end_;
  }
  void grew(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }

  void append(const void* bytes, std::size_t count) {
    if (count == 0) return;
    std::memcpy(room(count), bytes, count);
    grew(count);
  }
  void append(ByteView bytes) { append(bytes.data(), bytes.size()); }
  void append(std::string_view text) { append(text.data(), text.size()); }
  void push(std::uint8_t byte) {
    *room(1) = byte;
    grew(1);
  }
  void push_u16(std::uint16_t value) {
    std::uint8_t* at = room(2);
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
    grew(2);
  }
  void push_u32(std::uint32_t value) {
    push_u16(static_cast<std::uint16_t>(value >> 16));
    push_u16(static_cast<std::uint16_t>(value));
  }

  // Drops `count` bytes at the front; capacity stays.
  void consume(std::size_t count) {
    begin_ += static_cast<std::uint32_t>(count);
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Drops bytes at the end so that `count` remain.
  void truncate(std::size_t count) { end_ = begin_ + static_cast<std::uint32_t>(count); }
  void clear() { begin_ = end_ = 0; }
  void release() { *this = Buffer(); }

 private:
  void make_room(std::size_t count);  // throws std::bad_alloc; a buffer is bounded to 2 GiB

  std::uint8_t* data_ = nullptr;
  std::uint32_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace gnomon
