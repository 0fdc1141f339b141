// What is built.
#include "operations/handlers.h"

#include <cstddef>

#include <doctest/doctest.h>

namespace gnomon::operations {
namespace {

TEST_CASE("every row of iot, iam, sts and gnomon has a handler") {
  std::size_t built = 0;
  for (const char* service : {"iot", "iam", "sts", "gnomon"}) {
    for (const api::Operation& operation : api::service_named(service)->operations) {
      CAPTURE(operation.name);
      const bool has_handler = handler_of(operation) != nullptr;
      CHECK(has_handler == (operation.row != nullptr));
      built += has_handler ? 1 : 0;
    }
  }
  CHECK(built == 110 + 69 + 3);
}

}  // namespace
}  // namespace gnomon::operations
