#include "base/json_text.h"

#include <doctest/doctest.h>

namespace gnomon {

TEST_CASE("JSON strings: quotes, controls and bytes that are no UTF-8 are escaped") {
  CHECK(json_text("") == "\"\"");
  CHECK(json_text("lamp/1") == "\"lamp/1\"");
  CHECK(json_text("a\"b\\c\nd\te\x7f") == R"("a\"b\\c\nd\u0009e\u007f")");
  CHECK(json_text(std::string_view("\0", 1)) == R"("\u0000")");
  CHECK(json_text("wörld €😀") == "\"wörld €😀\"");
  CHECK(json_text("a\xff\xc3z\xe2\x82") ==
        "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"");
  CHECK(json_text("\xc2\x9b \xc2\xa0") == "\"\\u009b \xc2\xa0\"");
  CHECK(json_text("\u2027\u2028\u202e\u202f") == "\"\u2027\\u2028\\u202e\u202f\"");
  CHECK(json_text("\u2065\u2066\u2069\u206a") == "\"\u2065\\u2066\\u2069\u206a\"");
}

}  // namespace gnomon
