#include "base/version.h"

#include <algorithm>

#include <doctest/doctest.h>

TEST_CASE("the version has three numbers") {
  const std::string_view text = gnomon::version();
  CHECK(std::count(text.begin(), text.end(), '.') == 2);
  CHECK(text.find_first_not_of("0123456789.") == std::string_view::npos);
}
