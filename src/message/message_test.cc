#include "message/message.h"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::message {
namespace {

// Bytes in a heap block of exactly their size, so that a sanitizer sees any read beyond.
struct Exact {
  explicit Exact(ByteView bytes) : size(bytes.size()), block(new std::uint8_t[bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), block.get());
  }
  [[nodiscard]] ByteView view() const { return {block.get(), size}; }
  std::size_t size;
  std::unique_ptr<std::uint8_t[]> block;
};

std::string random_text(SeededRandom& random, std::uint64_t most) {
  std::string text(random.below(most + 1), '\0');
  for (char& c : text) c = static_cast<char>(random.below(256));
  return text;
}

struct Holder {
  std::string topic, payload, properties, client, principal, address;
  Message message;
  explicit Holder(SeededRandom& random)
      : topic(random_text(random, 60)),
        payload(random_text(random, 300)),
        properties(random_text(random, 40)),
        client(random_text(random, 20)),
        principal(random_text(random, 20)),
        address(random_text(random, 20)) {
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.properties = as_bytes(properties);
    message.qos = static_cast<std::uint8_t>(random.below(3));
    message.retain = random.below(2) == 1;
    message.received = {static_cast<std::int64_t>(random.next() >> 1)};
    message.expires = {static_cast<std::int64_t>(random.next() >> 1)};
    message.origin = {static_cast<OriginKind>(random.below(6)), client, random.next(), principal,
                      address};
    message.id = random.next();
    message.hops = static_cast<std::uint8_t>(random.below(256));
  }
};

TEST_CASE("what is encoded is decoded again, and only that") {
  SeededRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    const Holder holder(random);
    Buffer out;
    out.append(std::string_view("before"));
    encode(holder.message, out);
    out.consume(6);
    CHECK(out.size() == encoded_size(holder.message));
    out.append(std::string_view("behind"));
    const auto decoded = decode(out.view());
    REQUIRE(decoded.ok());
    CHECK(decoded->message == holder.message);
    CHECK(decoded->size == encoded_size(holder.message));
  }
}

TEST_CASE("cut at every byte it is refused") {
  SeededRandom random(2);
  const Holder holder(random);
  Buffer out;
  encode(holder.message, out);
  for (std::size_t size = 0; size < out.size(); ++size) {
    CHECK_FALSE(decode(Exact(out.view().first(size)).view()).ok());
  }
  CHECK(decode(Exact(out.view()).view()).ok());
}

TEST_CASE("changed bytes never lead outside") {
  SeededRandom random(3);
  for (int i = 0; i < 5000; ++i) {
    const Holder holder(random);
    Buffer out;
    encode(holder.message, out);
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      out.data()[random.below(std::min<std::size_t>(out.size(), 60))] =
          static_cast<std::uint8_t>(random.below(256));
    }
    const Exact exact(out.view());
    const auto decoded = decode(exact.view());
    if (!decoded.ok()) continue;
    Buffer again;
    encode(decoded->message, again);
    CHECK(std::ranges::equal(again.view(), exact.view().first(decoded->size)));
  }
}

TEST_CASE("a newer version and lengths that overflow are refused with a reason") {
  SeededRandom random(4);
  const Holder holder(random);
  Buffer out;
  encode(holder.message, out);
  out.data()[4] = 2;
  CHECK(decode(out.view()).error().message == "encoded message: unknown version");
  out.data()[4] = 1;
  for (int i = 48; i < 56; ++i) out.data()[i] = 0xFF;  // properties and payload: 4 GiB each
  CHECK(decode(out.view()).error().message == "encoded message: its lengths do not add up");
}

// Stored, and sent between versions: these bytes are for ever.
TEST_CASE("the encoding of version 1 is this") {
  Message message;
  message.topic = "t";
  message.payload = as_bytes("pp");
  message.properties = as_bytes("x");
  message.qos = 1;
  message.retain = true;
  message.received = {0x1122};
  message.expires = {-1};
  message.origin = {OriginKind::will, "c", 0x0102030405060708, "uu", "a"};
  message.id = 5;
  message.hops = 9;
  const std::string_view expected(
      "\x3c\0\0\0"                        // length of what follows
      "\1\5\2\x09"                        // version, flags, kind of origin, hops
      "\5\0\0\0\0\0\0\0"                  // id
      "\x22\x11\0\0\0\0\0\0"              // received
      "\xff\xff\xff\xff\xff\xff\xff\xff"  // expires
      "\x08\7\6\5\4\3\2\1"                // generation
      "\1\0\1\0\2\0\1\0"                  // lengths: topic, client id, principal, address
      "\1\0\0\0\2\0\0\0"                  // lengths: properties, payload
      "tcuuaxpp",
      64);
  Buffer out;
  encode(message, out);
  CHECK(as_text(out.view()) == expected);
  CHECK(decode(as_bytes(expected))->message == message);
}

TEST_CASE("a part that its length field cannot say is a bug, not a broken encoding") {
  const std::string longest(65535, 'n'), too_long(65536, 'n');
  Message message;
  message.topic = message.origin.client_id = longest;
  Buffer out;
  encode(message, out);
  CHECK(decode(out.view())->message == message);
  out.clear();
  message.origin.client_id = too_long;
  CHECK_THROWS(encode(message, out));
  CHECK(out.empty());
}

}  // namespace
}  // namespace gnomon::message
