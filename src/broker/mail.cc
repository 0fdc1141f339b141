#include "broker/mail.h"

#include <utility>

namespace gnomon::broker {

namespace {
// Blocks kept for reuse; the rest of a burst goes back to the allocator.
constexpr std::size_t free_blocks_max = 8;
}  // namespace

Block& Outbox::filling() {
  if (!lane_.empty()) {
    if (auto* data = std::get_if<Data>(&lane_.back());
        data != nullptr && data->block->messages.size() < limits::mail_block_bytes) {
      return *data->block;
    }
  }
  std::unique_ptr<Block> block;
  if (free_blocks_.empty()) {
    block = std::make_unique<Block>();
  } else {
    block = std::move(free_blocks_.back());
    free_blocks_.pop_back();
  }
  Block& filled = *block;
  lane_.emplace_back(Data{std::move(block)});
  block_messages_.push_back(0);
  return filled;
}

void Outbox::send_message(const message::Message& message) {
  message::encode(message, filling().messages);
  ++block_messages_.back();
  ++sent_;
  ++waiting_messages_;
}

void Outbox::credit(std::unique_ptr<Block> block) {
  ++credits_;
  // A block that one huge message has blown up is not worth keeping.
  if (free_blocks_.size() < free_blocks_max &&
      block->messages.capacity() <= 2 * limits::mail_block_bytes) {
    block->messages.clear();
    free_blocks_.push_back(std::move(block));
  }
}

void Outbox::flush() {
  batch_.swap(express_);
  while (!lane_.empty()) {
    if (std::holds_alternative<Data>(lane_.front())) {
      if (credits_ == 0) break;
      --credits_;
      waiting_messages_ -= block_messages_.front();
      block_messages_.pop_front();
    }
    batch_.push_back({from_, std::move(lane_.front())});
    lane_.pop_front();
  }
  target_.push(batch_);
}

}  // namespace gnomon::broker
