#include "runtime/timer.h"

#include <algorithm>
#include <cassert>

namespace gnomon::runtime {

void Timer::disarm() {
  if (timers_ != nullptr) timers_->disarm(*this);
}

Timer::~Timer() { disarm(); }

Timers::~Timers() {
  for (const Entry& entry : heap_) entry.timer->timers_ = nullptr;
}

void Timers::arm(Timer& timer, Instant at) {
  const Entry entry{at, &timer};
  if (timer.timers_ == nullptr) {
    timer.timers_ = this;
    heap_.push_back(entry);
    sift_up(static_cast<std::uint32_t>(heap_.size() - 1), entry);
    return;
  }
  assert(timer.timers_ == this);
  const std::uint32_t position = timer.position_;
  if (at < heap_[position].at) {
    sift_up(position, entry);
  } else {
    sift_down(position, entry);
  }
}

void Timers::disarm(Timer& timer) {
  if (timer.timers_ == nullptr) return;
  assert(timer.timers_ == this);
  const std::uint32_t hole = timer.position_;
  timer.timers_ = nullptr;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (last.timer == &timer) return;
  // The last entry fills the hole. It may belong above it or below it.
  if (hole > 0 && last.at < heap_[(hole - 1) / 4].at) {
    sift_up(hole, last);
  } else {
    sift_down(hole, last);
  }
}

void Timers::run(Instant now, int most) {
  for (; most > 0 && !heap_.empty() && heap_.front().at <= now; --most) {
    Timer* timer = heap_.front().timer;
    disarm(*timer);
    timer->on_timer();
  }
}

Instant Timers::next() const { return heap_.empty() ? Instant::never() : heap_.front().at; }

void Timers::place(std::uint32_t position, Entry entry) {
  heap_[position] = entry;
  entry.timer->position_ = position;
}

void Timers::sift_up(std::uint32_t position, Entry entry) {
  while (position > 0) {
    const std::uint32_t parent = (position - 1) / 4;
    if (heap_[parent].at <= entry.at) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void Timers::sift_down(std::uint32_t position, Entry entry) {
  const auto size = static_cast<std::uint32_t>(heap_.size());
  for (;;) {
    const std::uint32_t first = position * 4 + 1;
    if (first >= size) break;
    std::uint32_t least = first;
    const std::uint32_t end = std::min(first + 4, size);
    for (std::uint32_t child = first + 1; child < end; ++child) {
      if (heap_[child].at < heap_[least].at) least = child;
    }
    if (entry.at <= heap_[least].at) break;
    place(position, heap_[least]);
    position = least;
  }
  place(position, entry);
}

}  // namespace gnomon::runtime
