#include "net/http_parser.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::net {
namespace {

using Event = HttpParser::Event;

struct Seen {
  std::string text;  // heads and bodies; ends are '|'
  int fault = 0;
  bool operator==(const Seen&) const = default;
};

// Reads in pieces of random sizes, or all at once.
Seen read(std::string_view wire, SeededRandom* random = nullptr) {
  HttpParser parser;
  Request request;
  Seen seen;
  Buffer in;
  while (!wire.empty()) {
    const std::size_t size = random == nullptr ? wire.size() : 1 + random->below(wire.size());
    in.append(wire.substr(0, size));
    wire.remove_prefix(size);
    for (bool more = true; more;) {
      ByteView left = in.view();
      const Event event = parser.next(left, request);
      switch (event) {
        case Event::none:
          more = false;
          break;
        case Event::head:
          seen.text += request.method + ' ' + request.target + '\n';
          for (const Header& header : request.headers)
            seen.text += header.name + '=' + header.value + '\n';
          break;
        case Event::body:
          seen.text += as_text(parser.piece());
          break;
        case Event::end:
          seen.text += '|';
          request = {};
          parser.begin();
          break;
        case Event::refused:
          seen.fault = parser.fault().status;
          CHECK_FALSE(parser.fault().why.empty());
          return seen;
      }
      in.consume(in.size() - left.size());
    }
  }
  return seen;
}

TEST_CASE("requests come out the same however they are split") {
  const std::pair<std::string, Seen> cases[] = {
      {"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", {"GET /a?b\nHost=h\n|"}},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nhost:h\r\nContent-Length: 5\r\n\r\n"
       "helloGET /c HTTP/1.0\r\n\r\n",
       {"GET /\nHost=h\n|POST /b\nhost=h\nContent-Length=5\nhello|GET /c\n|"}},
      {"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n"
       "06\r\n world\r\n0\r\nHost: evil\r\nX: y\r\n\r\n",
       {"PUT /\nHost=h\nTransfer-Encoding=chunked\nhello world|"}},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\nrubbish\r\n\r\n", {"GET /\nHost=h\n|", 400}},
  };
  SeededRandom random(9);
  for (const auto& [wire, seen] : cases) {
    CAPTURE(wire);
    CHECK(read(wire) == seen);
    for (int i = 0; i < 200; ++i) CHECK(read(wire, &random) == seen);
  }
}

TEST_CASE("what could be read in two ways is refused") {
  const std::pair<std::string, int> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},  // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400},  // bare LF
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},   // space before the colon
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},  // HTTP/2 by prior knowledge
      {"P / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"P / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"P / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"P / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
      {"P / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"P / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"P / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400},
      {"P / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {std::string(20'000, 'x') + "\r\n\r\n", 431},
  };
  for (const auto& [wire, status] : cases) {
    CAPTURE(wire.substr(0, 100));
    CHECK(read(wire).fault == status);
  }
}

}  // namespace
}  // namespace gnomon::net
