#include "store/memory.h"

#include "store/store_contract.h"

namespace gnomon::store {
namespace {

TEST_CASE("the store in memory keeps the contract") {
  check_contract([] { return make_memory_store(); });
}

TEST_CASE("what is in memory is durable at once, and cannot be copied to a folder") {
  const auto store = make_memory_store();
  const Sequence applied = apply_puts(*store, {Put{"a", "1"}});
  CHECK(store->durable() == applied);
  CHECK(store->checkpoint("anywhere").error().code == Code::unsupported);
}

}  // namespace
}  // namespace gnomon::store
