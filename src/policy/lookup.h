// Lookup: where a policy set finds the values of keys while it is asked. Internal to the module.
#pragma once

#include <charconv>
#include <chrono>

#include "policy/policy_set.h"

namespace gnomon::policy {

// On the stack of one check; refers to the set and the request.
class PolicySet::Lookup final : public VariableTexts {
 public:
  Lookup(const PolicySet& set, const Request& request) : set_(set), request_(request) {}
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // The values of a key; none: it is missing.
  [[nodiscard]] std::span<const std::string_view> values(std::uint32_t key) const {
    const Key& wanted = set_.keys_[key];
    if (wanted.origin == Origin::constant) return wanted.constants;
    for (const KeyValues& given : request_.keys) {
      if (same_key(given.key, wanted.name)) return given.values;
    }
    return wanted.origin == Origin::request ? std::span<const std::string_view>() : time(wanted);
  }

  [[nodiscard]] std::optional<std::string_view> text(std::uint32_t slot) const override {
    const Slot& wanted = set_.slots_[slot];
    const auto found = values(wanted.key);
    if (found.size() == 1) return found[0];
    if (wanted.has_fallback) return wanted.fallback;
    return std::nullopt;
  }

  [[nodiscard]] const Request& request() const { return request_; }

 private:
  // "2023-11-14T22:13:20Z" or "1700000000", written once for each check that asks.
  std::span<const std::string_view> time(const Key& wanted) const {
    if (request_.now.ms == 0) return {};
    const bool epoch = wanted.origin == Origin::epoch_time;
    char* const out = epoch ? epoch_text_.data() : date_text_.data();
    std::string_view& text = epoch ? epoch_ : date_;
    if (text.empty()) text = {out, epoch ? write_epoch(out) : write_date(out)};
    return {&text, 1};
  }
  std::size_t write_epoch(char* out) const {
    return static_cast<std::size_t>(
        std::to_chars(out, out + epoch_text_.size(), request_.now.ms / 1000).ptr - out);
  }
  std::size_t write_date(char* out) const {
    const std::chrono::sys_time<std::chrono::milliseconds> at(
        std::chrono::milliseconds(request_.now.ms));
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(at - day));
    char* end = out;
    const auto put = [&end](std::int64_t number, int digits, char behind) {
      for (int i = digits - 1; i >= 0; --i, number /= 10) {
        end[i] = static_cast<char>('0' + number % 10);
      }
      end[digits] = behind;
      end += digits + 1;
    };
    put(std::max(0, static_cast<int>(date.year())), 4, '-');
    put(static_cast<unsigned>(date.month()), 2, '-');
    put(static_cast<unsigned>(date.day()), 2, 'T');
    put(clock.hours().count(), 2, ':');
    put(clock.minutes().count(), 2, ':');
    put(clock.seconds().count(), 2, 'Z');
    return static_cast<std::size_t>(end - out);
  }

  const PolicySet& set_;
  const Request& request_;
  mutable std::array<char, 24> date_text_{}, epoch_text_{};
  mutable std::string_view date_, epoch_;
};

}  // namespace gnomon::policy
