#include "api/dates.h"

#include <algorithm>
#include <chrono>

#include "api/sigv4.h"

namespace gnomon::api {
namespace {

constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view days = "SunMonTueWedThuFriSat";

}  // namespace

std::optional<WallTime> from_iso_date(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text.back() != 'Z') {
    return std::nullopt;
  }
  std::string basic(text.substr(0, 4));
  basic.append(text.substr(5, 2)).append(text.substr(8, 5)).append(text.substr(14, 2));
  const auto at = from_amz_date(basic.append(text.substr(17, 2)) + 'Z');
  std::string_view fraction = text.substr(19, text.size() - 20);
  if (!at || fraction.empty()) return at;
  if (fraction[0] != '.' || fraction.size() < 2 || fraction.size() > 10 ||
      fraction.find_first_not_of("0123456789", 1) != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t ms = 0;
  for (std::size_t i = 1; i <= 3; ++i) ms = ms * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  return *at + std::chrono::milliseconds(ms);
}

std::optional<WallTime> from_http_date(std::string_view text) {
  // botocore writes "-0000" for "GMT".
  const std::string_view zone = text.substr(std::min<std::size_t>(25, text.size()));
  if (zone != " GMT" && zone != " -0000" && zone != " +0000") return std::nullopt;
  const std::size_t month = months.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  std::string basic(text.substr(12, 4));
  if (month < 27) basic += '0';
  basic += std::to_string(month / 3 + 1);
  basic.append(text.substr(5, 2)).append("T").append(text.substr(17, 2));
  basic.append(text.substr(20, 2)).append(text.substr(23, 2));
  return from_amz_date(basic + 'Z');
}

std::string iso_date(WallTime at) { return to_string(at).substr(0, 19) + 'Z'; }

std::string http_date(WallTime at) {
  const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(at.ms)));
  const std::string iso = iso_date(at);  // "2026-11-25T15:13:21Z"
  const auto month = static_cast<std::size_t>((iso[5] - '0') * 10 + iso[6] - '0' - 1);
  std::string out(days.substr(std::chrono::weekday(day).c_encoding() * 3, 3));
  out.append(", ").append(iso, 8, 2).append(" ").append(months.substr(month * 3, 3));
  return out.append(" ").append(iso, 0, 4).append(" ").append(iso, 11, 8).append(" GMT");
}

}  // namespace gnomon::api
