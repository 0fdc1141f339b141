#include "json/cbor.h"

#include <array>
#include <utility>

#include <boost/json.hpp>
#include <doctest/doctest.h>

namespace gnomon::json {
namespace {

std::string bytes(std::string_view hex) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>((digits.find(hex[i]) << 4U) | digits.find(hex[i + 1]));
  return out;
}
std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4U];
    out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}
std::string read(std::string_view given, const Limits& limits = {}) {
  const auto value = from_cbor(as_bytes(bytes(given)), limits);
  return value ? write(*value) : value.error().message;
}

// RFC 8949, Appendix A, as far as JSON has words for it.
constexpr std::array<std::pair<const char*, const char*>, 35> examples{{
    {"00", "0"},
    {"17", "23"},
    {"1818", "24"},
    {"1903e8", "1000"},
    {"1a000f4240", "1000000"},
    {"1b000000e8d4a51000", "1000000000000"},
    {"1bffffffffffffffff", "18446744073709551615"},
    {"20", "-1"},
    {"3863", "-100"},
    {"3903e7", "-1000"},
    {"3a000f423f", "-1000000"},
    {"3b7fffffffffffffff", "-9223372036854775808"},
    {"3bffffffffffffffff", "-18446744073709551616.0"},
    {"f90000", "0.0"},
    {"f93e00", "1.5"},
    {"fa47c35000", "1e+05"},
    {"fb7e37e43c8800759c", "1e+300"},
    {"fbc010666666666666", "-4.1"},
    {"f4", "false"},
    {"f5", "true"},
    {"f6", "null"},
    {"60", "\"\""},
    {"6449455446", "\"IETF\""},
    {"62c3bc", "\"\xc3\xbc\""},
    {"80", "[]"},
    {"83010203", "[1,2,3]"},
    {"8301820203820405", "[1,[2,3],[4,5]]"},
    {"a0", "{}"},
    {"a26161016162820203", R"({"a":1,"b":[2,3]})"},
    {"9fff", "[]"},
    {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
    {"83019f0203ff820405", "[1,[2,3],[4,5]]"},
    {"bf61610161629f0203ffff", R"({"a":1,"b":[2,3]})"},
    {"7f657374726561646d696e67ff", "\"streaming\""},
    {"d9d9f7a16161f6", R"({"a":null})"},
}};

TEST_CASE("what JSON can say, and what is written reads as the same again") {
  for (const auto& [given, text] : examples) {
    CAPTURE(given);
    CHECK(read(given) == text);
    const auto value = from_cbor(as_bytes(bytes(given)));
    REQUIRE(value.ok());
    const auto again = from_cbor(as_bytes(to_cbor(*value)));
    REQUIRE(again.ok());
    CHECK(write(*again) == text);
  }
}

TEST_CASE("as it is written") {
  const auto written = [](std::string_view text) { return hex(to_cbor(*parse(text))); };
  CHECK(written(R"({"a":1,"b":[2,-3]})") == "a26161016162820222");
  CHECK(written("[-9223372036854775808,18446744073709551615,1.5]") ==
        "833b7fffffffffffffff1bfffffffffffffffffb3ff8000000000000");
  CHECK(written("[true,false,null,\"\"]") == "84f5f4f660");
}

TEST_CASE("what is refused") {
  CHECK(read("") == "byte 0: the CBOR item ends too early");
  CHECK(read("8301") == "byte 2: the CBOR item ends too early");
  CHECK(read("6449") == "byte 0: the CBOR item ends too early");
  CHECK(read("7bffffffffffffffff41") == "byte 0: the CBOR item ends too early");
  CHECK(read("9bffffffffffffffff01") == "byte 10: the CBOR item ends too early");
  CHECK(read("0000") == "byte 1: not JSON in CBOR: there is more behind the item");
  CHECK(read("1c") == "byte 0: not CBOR");
  CHECK(read("ff") == "byte 0: not JSON in CBOR: a break that ends nothing");
  CHECK(read("83ff") == "byte 1: not JSON in CBOR: a break that ends nothing");
  CHECK(read("bf6161ff") == "byte 3: not JSON in CBOR: a break that ends nothing");
  CHECK(read("4101") == "byte 0: not JSON in CBOR: a byte string");
  CHECK(read("5f4101ff") == "byte 0: not JSON in CBOR: a byte string");
  CHECK(read("c11a514b67b0") == "byte 0: not JSON in CBOR: a tag (1)");
  CHECK(read("d9d9f7d9d9f700") == "byte 3: not JSON in CBOR: a tag (55799)");
  CHECK(read("f7") == "byte 0: not JSON in CBOR: undefined");
  CHECK(read("f97e00") == "byte 0: not JSON in CBOR: a number that is none");
  CHECK(read("fb7ff0000000000000") == "byte 0: not JSON in CBOR: a number that is none");
  CHECK(read("a10102") == "byte 1: not JSON in CBOR: a name that is no text");
  CHECK(read("a18001") == "byte 1: not JSON in CBOR: a name that is no text");
  CHECK(read("61ff") == "byte 0: not JSON in CBOR: a text that is not UTF-8, or holds U+0000");
  CHECK(read("7f7f6161ffff") == "byte 1: not JSON in CBOR: a text in a text");
  CHECK(read("7f01ff") == "byte 1: not JSON in CBOR: a piece of a text that is none");
  CHECK(read("7f80ff") == "byte 1: not JSON in CBOR: a piece of a text that is none");
}

TEST_CASE("a name that is there twice") {
  CHECK(read("a2616101616102") ==
        "byte 4: not JSON in CBOR: the name \"a\" is there twice in one map");
  CHECK(read("a2616101616102", {.duplicates = Duplicates::last}) == R"({"a":2})");
}

TEST_CASE("limits") {
  CHECK(read("818101", {.depth_max = 2}) == "[[1]]");
  CHECK(read("81818101", {.depth_max = 2}) ==
        "byte 2: not JSON in CBOR: arrays and maps are more than 2 deep");
  const auto long_one = from_cbor(as_bytes("\x01\x01\x01"), {.bytes_max = 2});
  REQUIRE_FALSE(long_one.ok());
  CHECK(long_one.error() ==
        Error{Code::exhausted, "the CBOR item has 3 bytes; at most 2 are taken"});
  CHECK_FALSE(from_cbor(as_bytes(std::string(100'000, '\x9f'))).ok());
  CHECK_FALSE(from_cbor(as_bytes(std::string(100'000, '\x7f'))).ok());
}

}  // namespace
}  // namespace gnomon::json
