#include "broker/mail.h"

#include <type_traits>
#include <utility>

#include "broker/delivery.h"

namespace gnomon::broker {

namespace {
// Blocks kept for reuse; the rest of a burst goes back to the allocator.
constexpr std::size_t free_blocks_max = 8;
}  // namespace

template <class Letter>
Block& Outbox::filling() {
  if (!lane_.empty()) {
    if (auto* last = std::get_if<Letter>(&lane_.back());
        last != nullptr && last->block->entries.size() < limits::mail_block_bytes) {
      return *last->block;
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
  lane_.emplace_back(Letter{std::move(block)});
  if (std::is_same_v<Letter, Data>) block_messages_.push_back(0);
  return filled;
}
template Block& Outbox::filling<Deliveries>();

void Outbox::send_message(const message::Message& message, const Forwarded* forwarded, bool kept) {
  Block& block = filling<Data>();
  append_message(message, forwarded, block.entries);
  block.wants_kept |= kept;
  ++block_messages_.back();
  ++sent_;
  ++waiting_messages_;
}

void Outbox::credit(std::unique_ptr<Block> block) {
  ++credits_;
  handed_over_at_.pop_front();
  // A block that one huge message has blown up is not worth keeping.
  if (free_blocks_.size() < free_blocks_max &&
      block->entries.capacity() <= 2 * limits::mail_block_bytes) {
    block->entries.clear();
    block->wants_kept = false;
    free_blocks_.push_back(std::move(block));
  }
}

void Outbox::flush(Instant now) {
  batch_.swap(express_);
  while (!lane_.empty()) {
    const bool data = std::holds_alternative<Data>(lane_.front());
    if (data || std::holds_alternative<Deliveries>(lane_.front())) {
      if (credits_ == 0) break;
      --credits_;
      handed_over_at_.push_back(now);
    }
    if (data) {
      waiting_messages_ -= block_messages_.front();
      block_messages_.pop_front();
    }
    batch_.push_back({from_, std::move(lane_.front())});
    lane_.pop_front();
  }
  target_.push(batch_);
}

}  // namespace gnomon::broker
