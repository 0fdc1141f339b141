// ShadowQuota: how much may be asked for the shadows of one thing, where somebody limits that.
// Pure.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/limits.h"
#include "broker/profile.h"
#include "broker/rate.h"

namespace gnomon::server {

// AWS IoT: 10 requests that are not answered, and 20 a second, of one thing.
// Owner: a thread, for the things of its slots.
class ShadowQuota {
 public:
  explicit ShadowQuota(const broker::Profile& profile)
      : open_max_(profile.shadow_requests_max), per_second_(profile.rates.shadow_requests) {}

  [[nodiscard]] bool limits_anything() const { return open_max_ > 0 || per_second_ > 0; }
  // True: it counts as open until give_back().
  bool take(const std::string& thing, Instant now) {
    if (things_.size() >= limits::rates_remembered_max && !things_.contains(thing)) forget();
    Thing& asked = things_[thing];
    if (open_max_ > 0 && asked.open >= open_max_) return false;
    if (per_second_ > 0 && !asked.rate.take(now, per_second_)) return false;
    ++asked.open;
    return true;
  }
  void give_back(const std::string& thing) { --things_.at(thing).open; }
  [[nodiscard]] std::size_t remembered() const { return things_.size(); }

 private:
  struct Thing {
    int open = 0;
    broker::Rate rate;
  };
  // What is remembered is bounded: a thing that is forgotten may at once. Those with something open
  // stay, of which there are at most limits::shadow_requests_max.
  void forget() {
    std::erase_if(things_, [](const auto& one) { return one.second.open == 0; });
  }

  const int open_max_, per_second_;
  std::unordered_map<std::string, Thing> things_;
};

}  // namespace gnomon::server
