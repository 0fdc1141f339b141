// WebSocket framing (RFC 6455) as MQTT uses it: a stream of bytes in binary frames, whose
// boundaries mean nothing. Pure: bytes in, payload and what must be answered out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace gnomon::net {

enum class WebSocketRole : std::uint8_t { server, client };

enum class WebSocketOpcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

// RFC 6455 §7.4.1.
namespace close_code {
constexpr std::uint16_t normal = 1000, going_away = 1001, protocol_error = 1002,
                        unacceptable = 1003, none = 1005, inconsistent = 1007, too_big = 1009;
}

// Four bytes, in the order of the wire. Frames of a client are masked, those of a server are not.
using WebSocketMask = std::array<std::uint8_t, 4>;

// What came in one piece of input.
struct WebSocketInput {
  std::size_t payload = 0;  // so many bytes of it are now at the front of the input
  // Not 0: nothing further is read. The code that our close frame must have.
  std::uint16_t close = 0;
  const char* fault = nullptr;  // what the peer did wrong; null: nothing, it closes
};

// WebSocketReader: the receiving side. Holds no buffer while nothing but data comes.
// A value with move only.
class WebSocketReader {
 public:
  explicit WebSocketReader(WebSocketRole role) : role_(role) {}

  // Reads all of `bytes`: moves the payload of its data frames, unmasked, to its front. What
  // follows the payload there is garbage afterwards.
  WebSocketInput read(std::span<std::uint8_t> bytes);

  // True if a ping waits for its answer. Of several only the last is answered (§5.5.3), so that
  // nobody can make us hold more than one.
  [[nodiscard]] bool owes_pong() const { return owes_pong_; }
  // Appends the answer.
  void append_pong(Buffer& out, std::optional<WebSocketMask> mask);

 private:
  static constexpr std::size_t head_bytes_max = 14;

  // The head of the next frame, from `at` on; moves on over what it took. False: more is needed, or
  // it is refused.
  bool read_head(const std::uint8_t*& at, const std::uint8_t* end, WebSocketInput& input);
  void check_head(const std::uint8_t* head, WebSocketInput& input);
  void check_opcode(std::uint8_t opcode, bool last, WebSocketInput& input);
  // A whole control frame is there, but for its masking.
  void finish_control(WebSocketInput& input);
  void finish_close(ByteView body, WebSocketInput& input);
  void unmask(std::uint8_t* to, const std::uint8_t* from, std::size_t count);

  std::uint64_t left_ = 0;  // of the current frame's payload
  Buffer control_;          // the payload of the current control frame
  Buffer ping_;             // the last ping's
  WebSocketMask mask_{};    // turned so that its first byte is for the next byte of payload
  WebSocketRole role_;
  std::uint8_t opcode_ = 0;
  bool in_frame_ = false;    // a head was read, its payload not wholly
  bool in_message_ = false;  // a data frame without FIN was read
  bool owes_pong_ = false;
  bool finished_ = false;                   // closed, or refused
  std::uint8_t head_size_ = 0;              // of head_
  std::uint8_t head_[head_bytes_max] = {};  // a head that came in pieces
};

// Appends one whole frame. `mask`: for the client's role.
void append_frame(Buffer& out, WebSocketOpcode opcode, ByteView payload,
                  std::optional<WebSocketMask> mask);
// Appends a close frame; `code` none: without one. `why` is cut to what a close frame holds.
void append_close(Buffer& out, std::uint16_t code, std::string_view why,
                  std::optional<WebSocketMask> mask);

// Copies `count` bytes and masks them, or unmasks: it is the same. `to` may be `from` or lie before
// it. `mask`: its first byte is for the first byte.
void apply_mask(std::uint8_t* to, const std::uint8_t* from, std::size_t count,
                const WebSocketMask& mask);

}  // namespace gnomon::net
