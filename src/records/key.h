// Keys of records: `table | tenant | slot`, one byte each, then parts that sort as their values do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gnomon::records {

// Key: built part by part. A text may hold any byte: where another part may follow, it ends with a
// mark (0x00 0x01) and a NUL in it is written 0x00 0x02, so that no text runs into the next part
// and the order is that of the texts. A value.
class Key {
 public:
  explicit Key(std::uint8_t table, std::uint8_t slot = 0);

  Key& text(std::string_view text);   // another part may follow
  Key& last(std::string_view text);   // as it is: the last part, or one of a fixed size
  Key& number(std::uint64_t number);  // 8 bytes, big-endian
  // All keys that begin as this one does lie in [view(), behind()).
  [[nodiscard]] std::string behind() const;
  [[nodiscard]] std::string_view view() const { return bytes_; }
  operator std::string_view() const { return bytes_; }

 private:
  std::string bytes_;
};

// What follows `table | tenant | slot`.
[[nodiscard]] std::string_view parts_of(std::string_view key);

// KeyReader: takes parts off again, in their order. What is not there reads as empty or 0, and
// good() is false from then on. Refers to them.
class KeyReader {
 public:
  explicit KeyReader(std::string_view parts) : rest_(parts) {}

  std::string text();
  std::string_view fixed(std::size_t size);
  std::uint64_t number();
  [[nodiscard]] std::string_view rest() const { return rest_; }  // the last part
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace gnomon::records
