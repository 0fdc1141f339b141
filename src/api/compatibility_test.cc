#include "api/compatibility.h"

#include <doctest/doctest.h>

namespace gnomon::api {
namespace {

TEST_CASE("the page names every operation once, and only what is built as built") {
  const std::string page = compatibility_page(
      [](const Operation& operation) { return operation.name == "GetCallerIdentity"; });
  CHECK(page.find("## sts\n\n1 of 11 operations of the API of 2011-06-15.\n\n"
                  "**Built:** `GetCallerIdentity`\n\n**Answered 501:** `AssumeRole`, ") !=
        std::string::npos);
  CHECK(page.find("## iot\n\n0 of 272 operations") != std::string::npos);
  for (const Service* service : services()) {
    for (const Operation& operation : service->operations) {
      CHECK(page.find("`" + std::string(operation.name) + "`") != std::string::npos);
    }
  }
  // No row, no handler: what is not known to the table cannot be built.
  const std::string all = compatibility_page([](const Operation&) { return true; });
  CHECK(all.find("8 of 8 operations") != std::string::npos);
  CHECK(all.find("272 of 272") == std::string::npos);
}

}  // namespace
}  // namespace gnomon::api
