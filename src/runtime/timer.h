// Timers of one loop.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace gnomon::runtime {

class Timers;

// Timer: something that happens at an instant, once per arming. Embedded in what it belongs to;
// destroying it disarms it.
// Owner: an object of the loop's thread. A resource: not movable.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  [[nodiscard]] bool armed() const { return timers_ != nullptr; }
  void disarm();

 protected:
  virtual ~Timer();
  // The instant has come; the timer is disarmed and may be armed again, or destroyed, in here.
  virtual void on_timer() = 0;

 private:
  friend class Timers;
  Timers* timers_ = nullptr;
  std::uint32_t position_ = 0;
};

// Timers: a 4-ary heap of armed timers, 16 bytes each. Owner: one loop.
class Timers {
 public:
  Timers() = default;
  ~Timers();  // disarms what is still armed
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;
  // Arms `timer` for `at`; moves it if it is armed already.
  void arm(Timer& timer, Instant at);
  void disarm(Timer& timer);
  // Calls the timers that are due at `now`, in order of their instants, at most `most` of them.
  void run(Instant now, int most);
  // The earliest instant, or Instant::never().
  [[nodiscard]] Instant next() const;
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Instant at;
    Timer* timer;
  };
  void place(std::uint32_t position, Entry entry);
  void sift_up(std::uint32_t position, Entry entry);
  void sift_down(std::uint32_t position, Entry entry);

  std::vector<Entry> heap_;
};

}  // namespace gnomon::runtime
