// Reading what conditions compare: numbers, dates, addresses.
#include <charconv>
#include <chrono>
#include <cmath>

#include "policy/ascii.h"
#include "policy/condition.h"

namespace gnomon::policy {
namespace {

template <class Number>
bool read_all(std::string_view text, Number& number, int base = 10) {
  const char* end = text.data() + text.size();
  std::from_chars_result read{};
  if constexpr (std::is_floating_point_v<Number>) {
    read = std::from_chars(text.data(), end, number);
  } else {
    read = std::from_chars(text.data(), end, number, base);
  }
  return read.ec == std::errc() && read.ptr == end;
}

// Takes exactly `count` digits off the front.
bool take_digits(std::string_view& text, std::size_t count, int& number) {
  const std::string_view digits = text.substr(0, count);
  if (digits.size() != count || !std::ranges::all_of(digits, is_digit)) return false;
  text.remove_prefix(count);
  return read_all(digits, number);
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Takes the digits behind a point off the front, to the millisecond.
bool take_fraction(std::string_view& text, int& ms) {
  int digits = 0;
  for (; !text.empty() && is_digit(text.front()); ++digits, text.remove_prefix(1)) {
    if (digits < 3) ms = ms * 10 + (text.front() - '0');
  }
  for (int i = digits; i < 3; ++i) ms *= 10;
  return digits > 0;
}

// Takes "Z" or "+02:00" off the front; `minutes`: how far the time is ahead of UTC.
bool take_zone(std::string_view& text, int& minutes) {
  if (take(text, 'Z')) return true;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hour = 0, minute = 0;
  if (!take_digits(text, 2, hour)) return false;
  take(text, ':');
  if (!take_digits(text, 2, minute) || hour > 23 || minute > 59) return false;
  minutes = sign * (hour * 60 + minute);
  return true;
}

// Takes "10:00Z" or "10:00:05.250+02:00" off the front: a time has its zone.
bool take_time(std::string_view& text, std::int64_t& ms) {
  int hour = 0, minute = 0, second = 0, fraction = 0, ahead = 0;
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute)) {
    return false;
  }
  if (take(text, ':')) {
    if (!take_digits(text, 2, second)) return false;
    if (take(text, '.') && !take_fraction(text, fraction)) return false;
  }
  if (hour > 23 || minute > 59 || second > 60 || !take_zone(text, ahead)) return false;
  ms = ((hour * 60 + minute - ahead) * std::int64_t{60} + second) * 1000 + fraction;
  return true;
}

bool read_v4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    if (!is_digit(part[0]) || !read_all(part, out[i])) return false;
    if ((dot == text.size()) != (i == 3)) return false;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return true;
}

// RFC 4291 §2.2: groups of hex, one `::`, IPv4 at the end.
bool read_v6(std::string_view text, std::uint8_t* out) {
  constexpr std::size_t none = 17;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0, gap = none;  // gap: where the `::` is
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  } else if (text.empty()) {
    return false;
  }
  while (!text.empty()) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, colon);
    if (part.find('.') != std::string_view::npos) {
      if (colon != text.size() || size > 12 || !read_v4(part, &bytes[size])) return false;
      size += 4;
      break;
    }
    std::uint16_t group = 0;
    if (part.empty() || part.size() > 4 || size > 14 || !read_all(part, group, 16)) return false;
    bytes[size++] = static_cast<std::uint8_t>(group >> 8);
    bytes[size++] = static_cast<std::uint8_t>(group);
    if (colon == text.size()) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // a single colon at the end
    if (text.front() == ':') {
      if (gap != none) return false;
      gap = size;
      text.remove_prefix(1);
    }
  }
  if (gap == none ? size != 16 : size > 14) return false;
  if (gap != none) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(gap);
    std::copy_backward(at, bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end());
    std::fill_n(at, 16 - size, std::uint8_t{0});
  }
  std::copy(bytes.begin(), bytes.end(), out);
  return true;
}

}  // namespace

std::optional<double> read_number(std::string_view text) {
  double number = 0;
  const bool plus = text.starts_with('+');  // which from_chars does not take
  const std::string_view digits = text.substr(plus || text.starts_with('-') ? 1 : 0);
  // from_chars takes "inf" and "nan", too.
  if (digits.empty() || !(is_digit(digits[0]) || digits[0] == '.')) return std::nullopt;
  if (!read_all(plus ? digits : text, number) || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<std::int64_t> read_date(std::string_view text) {
  constexpr std::int64_t seconds_max = 100'000'000'000'000;  // so that milliseconds fit
  std::int64_t seconds = 0;
  if (text.size() != 4 && read_all(text, seconds)) {  // four digits are a year
    if (seconds > seconds_max || seconds < -seconds_max) return std::nullopt;
    return seconds * 1000;
  }
  int year = 0, month = 1, day = 1;
  if (!take_digits(text, 4, year)) return std::nullopt;
  if (take(text, '-')) {
    if (!take_digits(text, 2, month)) return std::nullopt;
    if (take(text, '-') && !take_digits(text, 2, day)) return std::nullopt;
  }
  std::int64_t time = 0;
  if (take(text, 'T') && !take_time(text, time)) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!text.empty() || !date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(days).count() + time;
}

bool Network::contains(const Network& other) const {
  if (other.bits < bits) return false;
  if (!std::equal(address.begin(), address.begin() + bits / 8, other.address.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto last = static_cast<std::size_t>(bits / 8);
  const int shift = 8 - bits % 8;
  return address[last] >> shift == other.address[last] >> shift;
}

std::optional<Network> read_network(std::string_view text) {
  Network network;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view host = text.substr(0, slash);
  int width = 128;
  if (host.find(':') == std::string_view::npos) {
    width = 32;
    network.address[10] = network.address[11] = 0xff;
    if (!read_v4(host, &network.address[12])) return std::nullopt;
  } else if (!read_v6(host, network.address.data())) {
    return std::nullopt;
  }
  if (slash == text.size()) return network;
  const std::string_view digits = text.substr(slash + 1);
  int bits = 0;
  if (digits.empty() || !is_digit(digits[0]) || !read_all(digits, bits) || bits > width) {
    return std::nullopt;
  }
  network.bits = 128 - width + bits;
  return network;
}

}  // namespace gnomon::policy
