#include "base/utf8.h"

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace gnomon {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

// The encoding of a code point by the plain rules, whatever the code point.
std::string encoded(std::uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<int>(0x80 | (code >> shift & 0x3f)); };
  const auto head = [&](int mark, int shift) { return mark | static_cast<int>(code >> shift); };
  if (code < 0x80) return bytes({head(0, 0)});
  if (code < 0x800) return bytes({head(0xc0, 6), tail(0)});
  if (code < 0x10000) return bytes({head(0xe0, 12), tail(6), tail(0)});
  return bytes({head(0xf0, 18), tail(12), tail(6), tail(0)});
}

TEST_CASE("every code point but U+0000 and the surrogates is accepted, none above U+10FFFF") {
  std::uint32_t wrong = 0;
  for (std::uint32_t code = 0; code < 0x1fffff; ++code) {
    const bool allowed = code != 0 && (code < 0xd800 || code > 0xdfff) && code <= 0x10ffff;
    if (is_mqtt_utf8(encoded(code)) != allowed) ++wrong;
  }
  CHECK(wrong == 0);
}

// The reference: a text is well-formed if it is made of encodings that are the shortest for their
// code point. Exhaustive over three bytes; a fourth is only ever one more continuation byte.
TEST_CASE("all texts of up to three bytes are judged as a decoder would") {
  std::vector<bool> single(256), pair(65536);
  for (std::uint32_t code = 1; code < 0x800; ++code) {
    const std::string text = encoded(code);
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.size() == 1) single[at(0)] = true;
    if (text.size() == 2) pair[static_cast<std::size_t>(at(0) << 8 | at(1))] = true;
  }
  std::vector<bool> triple(1U << 24U);
  for (std::uint32_t code = 0x800; code < 0x10000; ++code) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const std::string text = encoded(code);
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    triple[static_cast<std::size_t>(at(0) << 16 | at(1) << 8 | at(2))] = true;
  }
  int wrong = 0;
  std::string text(3, '\0');
  for (std::size_t a = 0; a < 256; ++a) {
    for (std::size_t b = 0; b < 256; ++b) {
      for (std::size_t c = 0; c < 256; ++c) {
        const bool expected = triple[a << 16 | b << 8 | c] || (single[a] && pair[b << 8 | c]) ||
                              (pair[a << 8 | b] && single[c]) ||
                              (single[a] && single[b] && single[c]);
        text[0] = static_cast<char>(a);
        text[1] = static_cast<char>(b);
        text[2] = static_cast<char>(c);
        if (is_mqtt_utf8(text) != expected) ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("known traps") {
  CHECK(is_mqtt_utf8(""));
  CHECK(is_mqtt_utf8("\xef\xbb\xbf"));  // U+FEFF stays what it is (§1.5.4)
  CHECK_FALSE(is_mqtt_utf8(std::string("\0", 1)));
  CHECK_FALSE(is_mqtt_utf8("\xc0\x80"));  // U+0000, overlong
  CHECK_FALSE(is_mqtt_utf8("\xe0\x80\x80"));
  CHECK_FALSE(is_mqtt_utf8("\xf0\x8f\xbf\xbf"));      // U+FFFF, overlong
  CHECK_FALSE(is_mqtt_utf8("\xed\xa0\x80"));          // U+D800
  CHECK_FALSE(is_mqtt_utf8("\xed\xbf\xbf"));          // U+DFFF
  CHECK_FALSE(is_mqtt_utf8("\xf4\x90\x80\x80"));      // U+110000
  CHECK_FALSE(is_mqtt_utf8("\xf8\x88\x80\x80\x80"));  // five bytes
  CHECK_FALSE(is_mqtt_utf8("\x80"));
  CHECK_FALSE(is_mqtt_utf8("\xff"));
}

// What the eight-bytes-at-a-time path could get wrong: every piece at every place of texts of every
// length, in a heap block of exactly that size.
TEST_CASE("every sequence at every offset") {
  const std::string good[] = {"\xc2\x80", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x01", "\x7f"};
  const std::string bad[] = {std::string(1, '\0'), "\x80",     "\xc2",         "\xe2\x82",
                             "\xf0\x9f\x98",       "\xc0\x80", "\xed\xa0\x80", "\xff"};
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const auto judged = [&](const std::string& piece) {
        const std::string text = std::string(before, 'a') + piece + std::string(after, 'z');
        const std::vector<char> exact(text.begin(), text.end());
        return is_mqtt_utf8({exact.data(), exact.size()});
      };
      for (const std::string& piece : good) CHECK(judged(piece));
      for (const std::string& piece : bad) CHECK_FALSE(judged(piece));
    }
  }
}

}  // namespace
}  // namespace gnomon
