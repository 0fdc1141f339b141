#include "net/websocket_frame.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/utf8.h"

namespace gnomon::net {
namespace {

constexpr std::uint8_t fin_bit = 0x80, reserved_bits = 0x70, opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80, length_bits = 0x7f;
constexpr std::uint8_t length_16 = 126, length_64 = 127;
constexpr std::size_t control_bytes_max = 125;

bool is_control(std::uint8_t opcode) { return (opcode & 8) != 0; }

std::uint64_t big_endian(const std::uint8_t* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | at[i];
  return value;
}

// The size of the head that begins with these two bytes.
std::size_t head_size(std::uint8_t second) {
  const std::uint8_t length = second & length_bits;
  const std::size_t extended = length == length_16 ? 2 : length == length_64 ? 8 : 0;
  return 2 + extended + ((second & mask_bit) != 0 ? 4 : 0);
}

// §7.4: those that a close frame may carry.
bool may_be_sent(std::uint64_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

void refuse(WebSocketInput& input, std::uint16_t code, const char* fault) {
  if (input.close != 0) return;
  input.close = code;
  input.fault = fault;
}

}  // namespace

void apply_mask(std::uint8_t* to, const std::uint8_t* from, std::size_t count,
                const WebSocketMask& mask) {
  std::uint32_t half = 0;
  std::memcpy(&half, mask.data(), sizeof half);
  const std::uint64_t word = std::uint64_t{half} << 32 | half;
  std::size_t at = 0;
  // All of a step is loaded before any is stored, so `to` may lie before `from` at any distance.
  for (; at + 32 <= count; at += 32) {
    std::uint64_t words[4];
    std::memcpy(words, from + at, sizeof words);
    for (std::uint64_t& each : words) each ^= word;
    std::memcpy(to + at, words, sizeof words);
  }
  for (; at + 8 <= count; at += 8) {
    std::uint64_t one = 0;
    std::memcpy(&one, from + at, sizeof one);
    one ^= word;
    std::memcpy(to + at, &one, sizeof one);
  }
  for (; at < count; ++at) to[at] = static_cast<std::uint8_t>(from[at] ^ mask[at & 3]);
}

// ---- reading

WebSocketInput WebSocketReader::read(std::span<std::uint8_t> bytes) {
  WebSocketInput input;
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  std::uint8_t* to = bytes.data();
  while (!finished_) {
    if (!in_frame_ && !read_head(at, end, input)) break;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(left_, static_cast<std::size_t>(end - at)));
    if (is_control(opcode_)) {
      control_.append(at, count);
    } else {
      unmask(to, at, count);
      to += count;
    }
    at += count;
    left_ -= count;
    if (left_ > 0) break;
    in_frame_ = false;
    if (is_control(opcode_)) finish_control(input);
  }
  input.payload = static_cast<std::size_t>(to - bytes.data());
  return input;
}

bool WebSocketReader::read_head(const std::uint8_t*& at, const std::uint8_t* end,
                                WebSocketInput& input) {
  const std::uint8_t* head = at;
  if (head_size_ == 0 && end - at >= 2 && static_cast<std::size_t>(end - at) >= head_size(at[1]))
      [[likely]] {
    at += head_size(at[1]);
  } else {
    for (;;) {
      const std::size_t need = head_size_ < 2 ? 2 : head_size(head_[1]);
      if (head_size_ >= 2 && head_size_ == need) break;
      if (at == end) return false;
      head_[head_size_++] = *at++;
    }
    head = head_;
    head_size_ = 0;
  }
  check_head(head, input);
  if (input.close == 0) return in_frame_ = true;
  finished_ = true;
  return false;
}

void WebSocketReader::check_head(const std::uint8_t* head, WebSocketInput& input) {
  opcode_ = head[0] & opcode_bits;
  if ((head[0] & reserved_bits) != 0)
    refuse(input, close_code::protocol_error, "a reserved bit is set: no extension was agreed on");
  check_opcode(opcode_, (head[0] & fin_bit) != 0, input);
  const bool masked = (head[1] & mask_bit) != 0;
  if (masked != (role_ == WebSocketRole::server))
    refuse(input, close_code::protocol_error,
           masked ? "a server's frame is masked" : "a client's frame is not masked");
  left_ = head[1] & length_bits;
  const std::uint8_t* after = head + 2;
  if (left_ == length_16) {
    left_ = big_endian(after, 2);
    after += 2;
    if (left_ < length_16)
      refuse(input, close_code::protocol_error, "a length is not in its shortest form");
  } else if (left_ == length_64) {
    left_ = big_endian(after, 8);
    after += 8;
    if (left_ <= UINT16_MAX || left_ > INT64_MAX)
      refuse(input, close_code::protocol_error,
             "a length is not in its shortest form, or negative");
  }
  if (is_control(opcode_) && left_ > control_bytes_max)
    refuse(input, close_code::protocol_error, "a control frame of more than 125 bytes");
  if (left_ > limits::websocket_frame_bytes_max)
    refuse(input, close_code::too_big, "a frame is too long");
  mask_ = {};
  if (masked) std::copy_n(after, mask_.size(), mask_.begin());
}

void WebSocketReader::check_opcode(std::uint8_t opcode, bool last, WebSocketInput& input) {
  switch (WebSocketOpcode{opcode}) {
    case WebSocketOpcode::continuation:
      if (!in_message_) refuse(input, close_code::protocol_error, "a continuation of no message");
      in_message_ = !last;
      return;
    case WebSocketOpcode::binary:
      if (in_message_)
        refuse(input, close_code::protocol_error, "a message begins inside of another");
      in_message_ = !last;
      return;
    case WebSocketOpcode::text:
      if (in_message_)
        refuse(input, close_code::protocol_error, "a message begins inside of another");
      // MQTT 5 §6.0.0, MQTT 3.1.1 §6.0.0.
      return refuse(input, close_code::unacceptable, "a text frame: MQTT is in binary ones");
    case WebSocketOpcode::close:
    case WebSocketOpcode::ping:
    case WebSocketOpcode::pong:
      if (!last) refuse(input, close_code::protocol_error, "a control frame in fragments");
      return;
  }
  refuse(input, close_code::protocol_error, "an unknown opcode");
}

void WebSocketReader::finish_control(WebSocketInput& input) {
  apply_mask(control_.data(), control_.data(), control_.size(), mask_);
  if (opcode_ == static_cast<std::uint8_t>(WebSocketOpcode::close)) {
    finish_close(control_.view(), input);
    finished_ = true;
  } else if (opcode_ == static_cast<std::uint8_t>(WebSocketOpcode::ping)) {
    ping_ = std::move(control_);
    owes_pong_ = true;
  }
  control_.release();
}

void WebSocketReader::finish_close(ByteView body, WebSocketInput& input) {
  input.close = close_code::none;
  if (body.empty()) return;
  const std::uint64_t code = body.size() < 2 ? 0 : big_endian(body.data(), 2);
  input.close = static_cast<std::uint16_t>(code);
  if (!may_be_sent(code)) {
    input.close = close_code::protocol_error;
    input.fault = "a close frame with a code that has no meaning";
  } else if (!is_mqtt_utf8(as_text(body.subspan(2)))) {
    input.close = close_code::inconsistent;
    input.fault = "the reason of a close frame is not UTF-8";
  }
}

void WebSocketReader::unmask(std::uint8_t* to, const std::uint8_t* from, std::size_t count) {
  if (role_ == WebSocketRole::client) {
    if (count > 0 && to != from) std::memmove(to, from, count);
    return;
  }
  apply_mask(to, from, count, mask_);
  if (count == left_) return;
  const WebSocketMask old = mask_;
  for (std::size_t i = 0; i < mask_.size(); ++i) mask_[i] = old[(i + count) % mask_.size()];
}

void WebSocketReader::append_pong(Buffer& out, std::optional<WebSocketMask> mask) {
  append_frame(out, WebSocketOpcode::pong, ping_.view(), mask);
  ping_.release();
  owes_pong_ = false;
}

// ---- writing

void append_frame(Buffer& out, WebSocketOpcode opcode, ByteView payload,
                  std::optional<WebSocketMask> mask) {
  const std::size_t size = payload.size();
  std::uint8_t* const head = out.room(14 + size);
  std::uint8_t* at = head;
  *at++ = static_cast<std::uint8_t>(fin_bit | static_cast<std::uint8_t>(opcode));
  const std::uint8_t second = mask ? mask_bit : 0;
  if (size < length_16) {
    *at++ = static_cast<std::uint8_t>(second | size);
  } else {
    const bool fits_16 = size <= UINT16_MAX;
    *at++ = static_cast<std::uint8_t>(second | (fits_16 ? length_16 : length_64));
    for (int shift = fits_16 ? 8 : 56; shift >= 0; shift -= 8)
      *at++ = static_cast<std::uint8_t>(std::uint64_t{size} >> shift);
  }
  if (mask) {
    at = std::copy(mask->begin(), mask->end(), at);
    apply_mask(at, payload.data(), size, *mask);
  } else if (size > 0) {
    std::memcpy(at, payload.data(), size);
  }
  out.grew(static_cast<std::size_t>(at - head) + size);
}

void append_close(Buffer& out, std::uint16_t code, std::string_view why,
                  std::optional<WebSocketMask> mask) {
  if (code == close_code::none) return append_frame(out, WebSocketOpcode::close, {}, mask);
  std::uint8_t body[control_bytes_max] = {static_cast<std::uint8_t>(code >> 8),
                                          static_cast<std::uint8_t>(code)};
  const std::string_view fits = why.substr(0, sizeof body - 2);
  std::copy(fits.begin(), fits.end(), body + 2);
  append_frame(out, WebSocketOpcode::close, ByteView(body).first(2 + fits.size()), mask);
}

}  // namespace gnomon::net
