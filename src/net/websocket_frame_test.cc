#include "net/websocket_frame.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"

namespace gnomon::net {
namespace {

using enum WebSocketOpcode;
constexpr WebSocketMask key = {0x37, 0xfa, 0x21, 0x3d};

std::string string_of(const Buffer& buffer) { return std::string(as_text(buffer.view())); }

// Everything that a reader makes of `wire`, given in pieces.
struct Reading {
  std::string payload;
  std::uint16_t close = 0;
  std::string fault;
  std::string pong;
  bool operator==(const Reading&) const = default;
};

Reading read(WebSocketRole role, std::string_view wire, SeededRandom* random = nullptr) {
  WebSocketReader reader(role);
  Reading all;
  while (!wire.empty()) {
    const std::size_t size =
        random == nullptr
            ? wire.size()
            : 1 + random->below(std::min<std::size_t>(wire.size(), 1 + wire.size() / 3));
    // Of exactly this size, so that the address sanitizer sees what is outside.
    const std::unique_ptr<std::uint8_t[]> piece(new std::uint8_t[size]);
    std::copy_n(wire.data(), size, piece.get());
    wire.remove_prefix(size);
    const WebSocketInput input = reader.read({piece.get(), size});
    REQUIRE(input.payload <= size);
    all.payload.append(as_text({piece.get(), input.payload}));
    if (input.close == 0) continue;
    all.close = input.close;
    if (input.fault != nullptr) all.fault = input.fault;
    break;
  }
  Buffer pong;
  if (reader.owes_pong()) reader.append_pong(pong, std::nullopt);
  all.pong = string_of(pong);
  return all;
}

std::string frame(WebSocketOpcode opcode, std::string_view payload,
                  std::optional<WebSocketMask> mask = key) {
  Buffer out;
  append_frame(out, opcode, as_bytes(payload), mask);
  return string_of(out);
}

// The same without FIN.
std::string fragment(WebSocketOpcode opcode, std::string_view payload) {
  std::string made = frame(opcode, payload);
  made[0] = static_cast<char>(made[0] & 0x7f);
  return made;
}

// The head of a masked binary frame with this length, given in so many bytes.
std::string head(std::uint64_t length, int bytes, char first = '\x82') {
  std::string made{first, bytes == 2 ? '\xfe' : '\xff'};
  for (int shift = 8 * bytes - 8; shift >= 0; shift -= 8)
    made += static_cast<char>(static_cast<std::uint8_t>(length >> shift));
  return made + "abcd";
}

TEST_CASE("the examples of RFC 6455 §5.7") {
  const std::string hello = frame(binary, "Hello");
  CHECK(hello == "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  CHECK(read(WebSocketRole::server, hello).payload == "Hello");
  CHECK(frame(binary, "Hello", std::nullopt) == "\x82\x05Hello");
  CHECK(frame(binary, std::string(256, 'x'), std::nullopt).substr(0, 4) ==
        std::string("\x82\x7e\x01\x00", 4));
  CHECK(frame(binary, std::string(65536, 'x'), std::nullopt).substr(0, 10) ==
        std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  const std::string fragments = fragment(binary, "Hel") + frame(continuation, "lo");
  CHECK(read(WebSocketRole::server, fragments).payload == "Hello");
}

TEST_CASE("lengths at the edges of their forms come through, in both roles") {
  for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 127UL, 65535UL, 65536UL, 70000UL}) {
    const std::string payload(size, 'p');
    CHECK(read(WebSocketRole::server, frame(binary, payload)).payload == payload);
    CHECK(read(WebSocketRole::client, frame(binary, payload, std::nullopt)).payload == payload);
  }
}

TEST_CASE("masks are applied right at every length and distance") {
  SeededRandom random(7);
  std::vector<std::uint8_t> bytes(200);
  random.fill(bytes);
  for (std::size_t size = 0; size < 100; ++size) {
    for (std::size_t distance = 0; distance < 40; ++distance) {
      std::vector<std::uint8_t> work = bytes;
      apply_mask(work.data(), work.data() + distance, size, key);
      bool right = true;
      for (std::size_t i = 0; i < size; ++i)
        right &= work[i] == static_cast<std::uint8_t>(bytes[i + distance] ^ key[i % 4]);
      CHECK(right);
    }
  }
}

TEST_CASE("however the bytes are split, the same comes out") {
  SeededRandom random(3);
  for (int round = 0; round < 300; ++round) {
    std::string wire;
    std::string sent;
    std::string last_ping;
    const bool to_server = random.below(2) == 0;
    const auto mask = [&]() -> std::optional<WebSocketMask> {
      WebSocketMask made{};
      random.fill(made);
      return to_server ? std::optional(made) : std::nullopt;
    };
    for (int i = 0; i < 8; ++i) {
      std::string payload(random.below(random.below(8) == 0 ? 70'000 : 300), '\0');
      random.fill({reinterpret_cast<std::uint8_t*>(payload.data()), payload.size()});
      sent += payload;
      const std::size_t cut = random.below(payload.size() + 1);
      std::string first = frame(binary, payload.substr(0, cut), mask());
      first[0] = static_cast<char>(first[0] & 0x7f);
      wire += first;
      if (random.below(2) == 0) {
        last_ping = random.hex(random.below(126));
        wire += frame(ping, last_ping, mask());
      }
      if (random.below(4) == 0) wire += frame(pong, "unasked", mask());
      wire += frame(continuation, payload.substr(cut), mask());
    }
    if (random.below(2) == 0) {
      Buffer goodbye;
      append_close(goodbye, 1001, "bye", mask());
      wire += string_of(goodbye) + "what follows is not read";
    }
    const auto role = to_server ? WebSocketRole::server : WebSocketRole::client;
    const Reading whole = read(role, wire);
    CHECK(whole.payload == sent);
    CHECK(whole.fault.empty());
    if (!last_ping.empty()) CHECK(whole.pong == frame(pong, last_ping, std::nullopt));
    CHECK(read(role, wire, &random) == whole);
  }
}

TEST_CASE("a client's first frame may hold one byte of a packet (AWS IoT device SDK 1)") {
  CHECK(read(WebSocketRole::server, frame(binary, "\x10") + frame(binary, "rest")).payload ==
        "\x10rest");
}

TEST_CASE("what breaks the protocol is refused with its code; what came before is kept") {
  const std::string good = frame(binary, "good");
  const std::pair<std::string, std::uint16_t> refused[] = {
      {"\xc2\x80"
       "abcd",
       1002},  // RSV1, as permessage-deflate
      {"\x92\x80"
       "abcd",
       1002},  // RSV3
      {"\x83\x80"
       "abcd",
       1002},  // opcode 3
      {"\x8b\x80"
       "abcd",
       1002},                                                  // opcode 11
      {frame(binary, "x", std::nullopt), 1002},                // not masked
      {frame(text, "{}"), 1003},                               //
      {fragment(text, "{}"), 1003},                            //
      {frame(continuation, "x"), 1002},                        // of nothing
      {fragment(binary, "a") + frame(binary, "b"), 1002},      // message in message
      {fragment(binary, "a") + frame(text, "b"), 1002},        //
      {fragment(ping, "a"), 1002},                             // control frame in fragments
      {fragment(close, ""), 1002},                             //
      {frame(ping, std::string(126, 'x')), 1002},              // control frame too long
      {head(125, 2), 1002},                                    // not the shortest form
      {head(65535, 8), 1002},                                  //
      {head(std::uint64_t{1} << 63, 8), 1002},                 // negative
      {head(UINT64_MAX, 8), 1002},                             //
      {head(limits::websocket_frame_bytes_max + 1, 8), 1009},  // too long
      {frame(close, "x"), 1002},                               // half a code
      {frame(close, std::string("\x03\xed", 2)), 1002},        // 1005
      {frame(close, std::string("\x03\xe7", 2)), 1002},        // 999
      {frame(close, std::string("\x13\x88", 2)), 1002},        // 5000
      {frame(close, std::string("\x03\xe8\xff", 3)), 1007},    // reason not UTF-8
  };
  SeededRandom random(5);
  for (const auto& [wire, code] : refused) {
    CAPTURE(wire);
    const Reading whole = read(WebSocketRole::server, good + wire + good);
    CHECK(whole.payload.starts_with("good"));
    CHECK(whole.payload.size() <= 5);
    CHECK(whole.close == code);
    CHECK_FALSE(whole.fault.empty());
    for (int i = 0; i < 10; ++i)
      CHECK(read(WebSocketRole::server, good + wire + good, &random) == whole);
  }
  CHECK(read(WebSocketRole::client, frame(binary, "x")).close == 1002);  // masked
}

TEST_CASE("a close frame is told with its code") {
  CHECK(read(WebSocketRole::server, frame(close, "")).close == close_code::none);
  for (const int code : {1000, 1001, 1011, 1014, 3000, 4999}) {
    Buffer wire;
    append_close(wire, static_cast<std::uint16_t>(code), "why", key);
    const Reading reading = read(WebSocketRole::server, string_of(wire));
    CHECK(reading.close == code);
    CHECK(reading.fault.empty());
  }
}

TEST_CASE("close frames fit, whatever the reason; none has no body") {
  Buffer out;
  append_close(out, 1002, std::string(200, 'x'), std::nullopt);
  CHECK(out.size() == 127);
  out.clear();
  append_close(out, close_code::none, "unheard", std::nullopt);
  CHECK(string_of(out) == std::string("\x88\x00", 2));
}

TEST_CASE("of many pings the last is answered, and nothing else is held") {
  std::string wire;
  for (int i = 0; i < 1000; ++i) wire += frame(ping, std::to_string(i));
  CHECK(read(WebSocketRole::server, wire).pong == frame(pong, "999", std::nullopt));
}

}  // namespace
}  // namespace gnomon::net
