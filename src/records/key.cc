#include "records/key.h"

namespace gnomon::records {

namespace {

constexpr char tenant = 0;  // one today
constexpr std::size_t prefix_size = 3;
constexpr char end_mark = 1, nul_mark = 2;  // behind a NUL

}  // namespace

Key::Key(std::uint8_t table, std::uint8_t slot)
    : bytes_{static_cast<char>(table), tenant, static_cast<char>(slot)} {}

Key& Key::text(std::string_view text) {
  bytes_.reserve(bytes_.size() + text.size() + 2);
  for (const char c : text) {
    bytes_ += c;
    if (c == '\0') bytes_ += nul_mark;
  }
  bytes_ += '\0';
  bytes_ += end_mark;
  return *this;
}

Key& Key::last(std::string_view text) {
  bytes_ += text;
  return *this;
}

Key& Key::number(std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes_ += static_cast<char>(number >> shift);
  return *this;
}

std::string Key::behind() const {
  std::string end = bytes_;
  while (!end.empty() && end.back() == '\xFF') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

std::string_view parts_of(std::string_view key) {
  return key.size() < prefix_size ? std::string_view() : key.substr(prefix_size);
}

std::string KeyReader::text() {
  std::string text;
  while (rest_.size() >= 2) {
    const char c = rest_[0];
    const char mark = rest_[1];
    rest_.remove_prefix(c == '\0' ? 2 : 1);
    if (c == '\0' && mark == end_mark) return text;
    if (c == '\0' && mark != nul_mark) break;
    text += c;
  }
  good_ = false;
  rest_ = {};
  return "";
}

std::string_view KeyReader::fixed(std::size_t size) {
  if (rest_.size() < size) {
    good_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

std::uint64_t KeyReader::number() {
  std::uint64_t number = 0;
  for (const char c : fixed(sizeof number)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

}  // namespace gnomon::records
