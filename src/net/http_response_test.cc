// Answers: whole, in chunks, until the end, cut off anywhere, and what is no HTTP.
#include "net/http_response.h"

#include <string>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::net {
namespace {

const std::string with_length =
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const std::string in_chunks =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";

TEST_CASE("an answer is read, however its body ends") {
  for (const std::string& text :
       {with_length, in_chunks, std::string("HTTP/1.0 200 OK\r\n\r\nhello")}) {
    const auto answer = read_response(text);
    REQUIRE_MESSAGE(answer, answer.error().message);
    CHECK(answer->body == "hello");
  }
  const auto answer = read_response(with_length + "HTTP/1.1 200 OK");
  CHECK(answer->status == 404);
  REQUIRE(answer->headers.size() == 2);
  CHECK(answer->headers[0].name == "Content-Type");
  CHECK(answer->headers[0].value == "text/plain");
  CHECK(read_response("HTTP/1.1 204 No Content\r\n\r\n")->body.empty());
}

TEST_CASE("property: one that is cut off anywhere is none") {
  for (const std::string& text : {with_length, in_chunks}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      CAPTURE(size);
      const auto answer = read_response(std::string_view(text).substr(0, size));
      REQUIRE_FALSE(answer);
      CHECK(answer.error().code == Code::invalid);
    }
  }
}

TEST_CASE("what is no HTTP, and a head without end, are refused") {
  CHECK_FALSE(read_response("SSH-2.0-OpenSSH_9.2\r\n"));
  CHECK_FALSE(read_response("HTTP/1.1 two OK\r\n\r\n"));
  CHECK_FALSE(read_response("HTTP/1.1 200 OK\r\nA: " + std::string(1 << 20, 'a') + "\r\n\r\n"));
}

TEST_CASE("property: no bytes do harm") {
  SeededRandom random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text = round % 2 == 0 ? with_length : in_chunks;
    for (int i = 0; i < 3; ++i)
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    const auto answer = read_response(text);
    if (answer) CHECK(answer->body.size() <= text.size());
  }
}

}  // namespace
}  // namespace gnomon::net
