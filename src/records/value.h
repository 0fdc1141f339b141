// Values of records: a version byte, then fields in a fixed order. Binary and not JSON: a thing of
// three attributes takes 100 bytes instead of 250, of which there may be a million in the store's
// cache, and is read ten times as fast. A later version of a record has more fields behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace gnomon::records {

// Writer: numbers take a byte for each 7 bits (LEB128), texts their length in front.
class Writer {
 public:
  explicit Writer(std::uint8_t version = 1) : out_(1, static_cast<char>(version)) {}

  Writer& number(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7U) out_ += static_cast<char>(number | 0x80U);
    out_ += static_cast<char>(number);
    return *this;
  }
  Writer& flag(bool flag) { return number(flag ? 1 : 0); }
  Writer& text(std::string_view text) {
    number(text.size());
    out_ += text;
    return *this;
  }
  [[nodiscard]] std::string done() { return std::move(out_); }

 private:
  std::string out_;
};

// Reader: takes the fields off again. What is not there reads as empty or 0, and good() is false
// from then on: the bytes are no such record, the store is damaged. Refers to the value.
class Reader {
 public:
  // `newest`: the highest version that the caller can read.
  explicit Reader(std::string_view value, std::uint8_t newest = 1) : rest_(value) {
    good_ = !value.empty() && value[0] != 0 && static_cast<std::uint8_t>(value[0]) <= newest;
    if (!value.empty()) rest_.remove_prefix(1);
  }

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      number |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return number;
    }
    good_ = false;
    return 0;
  }
  bool flag() { return number() != 0; }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) good_ = false;
    const std::string_view text = rest_.substr(0, good_ ? size : 0);
    rest_.remove_prefix(text.size());
    return text;
  }
  // How many entries follow, for a loop that ends also if the value is damaged: none is empty.
  std::size_t count() {
    const std::uint64_t count = number();
    if (count > rest_.size()) good_ = false;
    return good_ ? static_cast<std::size_t>(count) : 0;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_;
};

}  // namespace gnomon::records
