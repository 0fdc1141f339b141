// What comes in over HTTP/1.x, as a machine: bytes in, events out. Boost.Beast's parser stays in
// http_parser.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/http_message.h"

namespace gnomon::net {

// HttpParser: reads the requests of one connection, one after the other.
//   head, body…, end, then begin() for the next one; or refused, which is final.
class HttpParser {
 public:
  enum class Event : std::uint8_t {
    none,     // more bytes are needed
    head,     // `request` is whole but for its body
    body,     // piece() is the next part of the body
    end,      // the request is over
    refused,  // answer with fault() and close: where the next request begins is not known
  };
  struct Fault {
    int status = 400;
    std::string why;
  };

  HttpParser();
  ~HttpParser();
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  void begin();
  // Takes from the front of `in` what the next event needs. What is left then must be at the front
  // of the next call's, with what has arrived behind it. `request` is the same one until its end.
  Event next(ByteView& in, Request& request);

  [[nodiscard]] ByteView piece() const { return piece_; }  // into the `in` of the call
  [[nodiscard]] const Fault& fault() const { return fault_; }
  // From the head on:
  [[nodiscard]] bool keep_alive() const;  // the client wants it
  [[nodiscard]] bool is_http_11() const;  // else 1.0: no chunks
  [[nodiscard]] bool has_body() const;    // one that is not empty, or in chunks
  // RFC 9110 §10.1.1: the client may wait with its body until it is told to go on.
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  [[nodiscard]] std::uint64_t body_bytes() const;  // as announced; 0: it is not

 private:
  Event refuse(int status, std::string why);
  Event check_head(Request& request);

  struct Beast;
  std::unique_ptr<Beast> beast_;
  ByteView piece_;
  Fault fault_;
  bool head_told_ = false, end_told_ = false, refused_ = false, expects_continue_ = false;
};

// "Not Found"
[[nodiscard]] std::string_view reason_of(int status);

}  // namespace gnomon::net
