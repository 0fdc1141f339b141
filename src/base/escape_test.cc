#include "base/escape.h"

#include <string>

#include <doctest/doctest.h>

namespace gnomon {

TEST_CASE("text comes in pieces, and none of it is lost") {
  using Kind = Piece::Kind;
  const auto kinds = [](std::string_view text) {
    std::string letters;  // of the kinds, and how long each is
    while (!text.empty()) {
      const Piece piece = first_piece(text);
      REQUIRE(piece.text.data() == text.data());
      letters += "pqncdb"[static_cast<std::size_t>(piece.kind)];
      if (piece.text.size() > 1) letters += std::to_string(piece.text.size());
      text.remove_prefix(piece.text.size());
    }
    return letters;
  };
  static_assert(static_cast<int>(Kind::broken) == 5);
  CHECK(kinds("").empty());
  CHECK(kinds("a \"\\\n\r\x7f") == "ppqqncc");
  CHECK(kinds(std::string_view("\0", 1)) == "c");
  CHECK(kinds("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80") == "p2p3p4");
  CHECK(kinds("\xc2\x9f\xc2\xa0") == "d2p2");                                      // U+009F, U+00A0
  CHECK(kinds("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf") == "p3d3d3p3");  // U+2027 …
  CHECK(kinds("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa") == "p3d3d3p3");  // U+2065 …
  CHECK(kinds("\xff\x80\xe2\x82") == "bbbb");
  CHECK(kinds("\xed\xa0\x80"
              "a") == "bbbp");  // half of a surrogate pair
}

}  // namespace gnomon
