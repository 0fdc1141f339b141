#include "net/http_message.h"

#include <algorithm>

namespace gnomon::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string lower_case(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), lower);
  return lowered;
}

bool next_member(std::string_view& rest, std::string_view& member) {
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    member = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t'))
      member.remove_prefix(1);
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t'))
      member.remove_suffix(1);
    if (!member.empty()) return true;
  }
  return false;
}

std::string_view Request::header(std::string_view name) const {
  const auto it = std::ranges::find_if(
      headers, [name](const Header& header) { return same_name(header.name, name); });
  return it == headers.end() ? std::string_view() : std::string_view(it->value);
}

std::size_t Request::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers, [name](const Header& header) { return same_name(header.name, name); }));
}

bool Request::lists(std::string_view name, std::string_view token) const {
  for (const Header& header : headers) {
    if (!same_name(header.name, name)) continue;
    std::string_view rest = header.value, member;
    while (next_member(rest, member)) {
      if (same_name(member, token)) return true;
    }
  }
  return false;
}

std::string_view Request::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

Response plain_answer(int status, std::string_view why) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(why) + "\n"};
}

}  // namespace gnomon::net
