#include "base/bytes.h"

#include <string>

#include <doctest/doctest.h>

namespace gnomon {
namespace {

std::string text(const Buffer& buffer) { return std::string(as_text(buffer.view())); }

TEST_CASE("an empty buffer holds no memory") {
  Buffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.capacity() == 0);
  buffer.append(std::string_view());
  CHECK(buffer.capacity() == 0);
}

TEST_CASE("bytes appended at the end are consumed at the front") {
  Buffer buffer;
  buffer.append(std::string_view("abc"));
  buffer.push('d');
  buffer.push_u16(0x3132);
  buffer.push_u32(0x33343536);
  CHECK(text(buffer) == "abcd123456");
  buffer.consume(4);
  CHECK(text(buffer) == "123456");
  buffer.truncate(2);
  CHECK(text(buffer) == "12");
  buffer.consume(2);
  CHECK(buffer.empty());
  CHECK(buffer.capacity() > 0);
  buffer.release();
  CHECK(buffer.capacity() == 0);
}

TEST_CASE("room that was consumed is used again, and nothing is lost on the way") {
  Buffer buffer;
  std::string model;
  std::size_t largest = 0;
  for (int round = 0; round < 10'000; ++round) {
    const std::string chunk(static_cast<std::size_t>(round * 7 % 97),
                            static_cast<char>('a' + round % 26));
    buffer.append(chunk);
    model += chunk;
    const std::size_t gone = model.size() < 200 ? model.size() / 3 : model.size() - 100;
    buffer.consume(gone);
    model.erase(0, gone);
    REQUIRE(text(buffer) == model);
    largest = std::max(largest, buffer.capacity());
  }
  CHECK(largest <= 2048);  // although half a megabyte passed through
}

TEST_CASE("a moved buffer leaves an empty one behind") {
  Buffer a;
  a.append(std::string_view("kept"));
  Buffer b(std::move(a));
  CHECK(a.capacity() == 0);  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK(text(b) == "kept");
  Buffer c;
  c.append(std::string_view("freed"));
  c = std::move(b);
  CHECK(text(c) == "kept");
  a.append(std::string_view("usable"));
  CHECK(text(a) == "usable");
}

}  // namespace
}  // namespace gnomon
