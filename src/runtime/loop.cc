#include "runtime/loop.h"

#include <utility>
#include <vector>

namespace gnomon::runtime {
namespace {

// What a loop keeps of emptied output buffers. A fan-out to 500 receivers fills 500 of them in one
// turn and again in the next; a burst's large ones go back to the allocator.
constexpr std::size_t kept_buffer_bytes_max = 64 * KiB;  // one buffer
constexpr std::size_t kept_bytes_max = 4 * MiB;          // all of them

}  // namespace

Stream::~Stream() { loop_.unsent_ -= counted_; }

void Stream::count_unsent() {
  const auto left = static_cast<std::uint32_t>(output_.size());
  loop_.unsent_ = loop_.unsent_ + left - counted_;
  counted_ = left;
}

void Stream::lend_buffer() {
  if (loop_.free_buffers_.empty()) return;  // the first append allocates
  output_ = std::move(loop_.free_buffers_.back());
  loop_.free_buffers_.pop_back();
  loop_.free_bytes_ -= output_.capacity();
}

void Stream::mark_dirty() { loop_.dirty_.push_back(this); }

void Stream::give_back_output() {
  output_.clear();
  loop_.give_back(std::move(output_));
}

void Stream::bury_layer() { loop_.gone_layers_.push_back(this); }

Loop::~Loop() {
  for (Stream* layer : gone_layers_) delete layer;
}

void Loop::write_dirty() {
  // What is marked while these are written (a stream that ends may publish a will) stays in dirty_
  // for the next turn, which then follows at once.
  writing_.swap(dirty_);
  for (Stream* stream : writing_) {
    stream->dirty_ = false;
    stream->write_output();
    stream->count_unsent();
  }
  writing_.clear();
  // One that is marked again is in dirty_: it waits for the next turn.
  std::erase_if(gone_layers_, [](Stream* layer) {
    if (layer->dirty_) return false;
    delete layer;
    return true;
  });
}

void Loop::give_back(Buffer&& buffer) {
  Buffer empty = std::move(buffer);
  const std::size_t bytes = empty.capacity();
  if (bytes == 0 || bytes > kept_buffer_bytes_max) return;
  if (free_bytes_ + bytes > kept_bytes_max) return;
  empty.clear();
  free_bytes_ += bytes;
  free_buffers_.push_back(std::move(empty));
}

}  // namespace gnomon::runtime
