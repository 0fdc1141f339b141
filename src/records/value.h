// Values of records: a version byte, then the fields in their order. Binary and not JSON: a thing
// of three attributes takes 100 bytes instead of 250, and a million of them may be in the store's
// cache; to read one takes a tenth of the time. A later version of a record has more fields behind.
//
//   struct Lamp {
//     std::string id;
//     std::uint64_t version = 1;
//     static void fields(auto& record, auto& archive) { archive(record.id, record.version); }
//   };
//
// A field is a number, a flag, an enumeration, a time, a text, a struct with fields(), or a vector,
// map or optional of such.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace gnomon::records {

// Writer: numbers take a byte for each 7 bits (LEB128), texts and lists their length in front.
class Writer {
 public:
  explicit Writer(std::uint8_t version) : out_(1, static_cast<char>(version)) {}

  void operator()(const auto&... fields) { (put(fields), ...); }
  std::string take() { return std::move(out_); }

 private:
  void put(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7U) out_ += static_cast<char>(number | 0x80U);
    out_ += static_cast<char>(number);
  }
  void put(bool flag) { put(std::uint64_t{flag}); }
  void put(WallTime at) { put(static_cast<std::uint64_t>(at.ms)); }
  void put(std::string_view text) {
    put(std::uint64_t{text.size()});
    out_ += text;
  }
  void put(const std::string& text) { put(std::string_view(text)); }
  template <class T>
  requires std::is_enum_v<T>
  void put(T value) { put(static_cast<std::uint64_t>(value)); }
  template <class T>
  void put(const std::optional<T>& field) {
    put(field.has_value());
    if (field) put(*field);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(std::uint64_t{list.size()});
    for (const T& entry : list) put(entry);
  }
  template <class K, class V, class Less>
  void put(const std::map<K, V, Less>& map) {
    put(std::uint64_t{map.size()});
    for (const auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }
  template <class T>
  requires std::is_class_v<T>
  void put(const T& record) { T::fields(record, *this); }

  std::string out_;
};

// Reader: what is not there reads as empty or 0, and whole() is false then: the bytes are no such
// record, the store is damaged. Refers to the value.
class Reader {
 public:
  // `newest`: the highest version that the caller can read.
  Reader(std::string_view value, std::uint8_t newest) : rest_(value) {
    good_ = !value.empty() && value[0] != 0 && static_cast<std::uint8_t>(value[0]) <= newest;
    if (!value.empty()) rest_.remove_prefix(1);
  }

  void operator()(auto&... fields) { (take(fields), ...); }
  [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }

 private:
  void take(std::uint64_t& number) {
    number = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      number |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return;
    }
    good_ = false;
    number = 0;
  }
  std::uint64_t take_number() {
    std::uint64_t number = 0;
    take(number);
    return number;
  }
  void take(bool& flag) { flag = take_number() != 0; }
  void take(WallTime& at) { at.ms = static_cast<std::int64_t>(take_number()); }
  void take(std::string& text) {
    const std::uint64_t size = take_number();
    if (size > rest_.size()) good_ = false;
    text = rest_.substr(0, good_ ? size : 0);
    rest_.remove_prefix(text.size());
  }
  template <class T>
  requires std::is_enum_v<T>
  void take(T& value) { value = static_cast<T>(take_number()); }
  template <class T>
  void take(std::optional<T>& field) {
    field.reset();
    if (take_number() != 0) take(field.emplace());
  }
  // How many entries follow. Each takes a byte at least, so that a damaged number does not
  // allocate.
  std::size_t take_size() {
    const std::uint64_t size = take_number();
    if (size > rest_.size()) good_ = false;
    return good_ ? static_cast<std::size_t>(size) : 0;
  }
  template <class T>
  void take(std::vector<T>& list) {
    list.clear();
    for (std::size_t left = take_size(); left > 0 && good_; --left) take(list.emplace_back());
  }
  template <class K, class V, class Less>
  void take(std::map<K, V, Less>& map) {
    map.clear();
    for (std::size_t left = take_size(); left > 0 && good_; --left) {
      K key{};
      take(key);
      take(map[key]);
    }
  }
  template <class T>
  requires std::is_class_v<T>
  void take(T& record) { T::fields(record, *this); }

  std::string_view rest_;
  bool good_;
};

template <class T>
[[nodiscard]] std::string write(const T& record) {
  Writer out(1);
  T::fields(record, out);
  return out.take();
}

// False: the value is no such record.
template <class T>
[[nodiscard]] bool read(std::string_view value, T& record) {
  Reader in(value, 1);
  T::fields(record, in);
  return in.whole();
}

}  // namespace gnomon::records
