// The reader of HTTP requests: nothing is read outside of the input, requests are the same however
// they are split, what is held is bounded, and whatever the headers are, the answer to a WebSocket
// request is one that a client of ours reads.
//
// Input: one byte that seeds where the rest is split, the bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/limits.h"
#include "net/http_parser.h"
#include "net/websocket_handshake.h"

namespace {

using namespace gnomon;
using namespace gnomon::net;
using Event = HttpParser::Event;

void check(bool good) {
  if (!good) std::abort();
}

const KnownHosts hosts{"0.0.0.0", {"*.example"}, {"https://app.example"}};

void check_answer(const Request& request) {
  const Response answer = answer_websocket(request, hosts);
  check(answer.status >= 400 || answer.status == 101);
  check(answer.status == 101 || !answer.body.empty());
  if (answer.status != 101) return;
  std::string text = "HTTP/1.1 101 x";
  WebSocketCall call;
  for (const Header& header : answer.headers) {
    text += "\r\n" + header.name + ": " + header.value;
    if (header.name == "Sec-WebSocket-Protocol") call.protocol = header.value;
  }
  text += "\r\n\r\n";
  const auto read = read_answer(as_bytes(text), call, request.header("sec-websocket-key"));
  check(read && *read == text.size());
}

std::string run(ByteView bytes, std::uint32_t random, bool whole) {
  HttpParser parser;
  Request request;
  std::string seen;
  Buffer in;
  while (!bytes.empty()) {
    random = random * 1'664'525 + 1'013'904'223;
    const std::size_t size =
        whole ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + (random >> 27));
    in.append(bytes.first(size));
    bytes = bytes.subspan(size);
    for (bool more = true; more;) {
      // Of exactly this size, so that the address sanitizer sees what is outside.
      const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[in.size()]);
      std::copy_n(in.data(), in.size(), exact.get());
      ByteView left{exact.get(), in.size()};
      const Event event = parser.next(left, request);
      if (event == Event::head) {
        seen += '<' + request.method + ' ' + request.target;
        for (const Header& header : request.headers) {
          check(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
          seen += ';' + header.name + '=' + header.value;
        }
        seen += parser.keep_alive() ? ">" : "-";
        check_answer(request);
      } else if (event == Event::body) {
        seen += as_text(parser.piece());
      } else if (event == Event::end) {
        seen += '|';
        request = {};
        parser.begin();
      } else if (event == Event::refused) {
        check(parser.fault().status >= 400 && !parser.fault().why.empty());
        return seen + '!';
      } else {
        more = false;
      }
      in.consume(in.size() - left.size());
    }
    check(in.size() <= limits::http_head_bytes_max);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const ByteView bytes{data + 1, size - 1};
  const std::string whole = run(bytes, data[0], true), pieces = run(bytes, data[0], false);
  // A head that comes in pieces is looked at when it is whole, so it may still be waited for.
  if (whole != pieces) check(whole == pieces + '!');
  (void)read_answer(bytes, {"h", "/mqtt", "mqtt", {}}, "dGhlIHNhbXBsZSBub25jZQ==");
  return 0;
}
