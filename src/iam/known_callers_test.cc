// How many callers are remembered, and for how long.
#include "iam/known_callers.h"

#include <doctest/doctest.h>

namespace gnomon::iam {
namespace {

Signatory of(std::size_t policy_bytes) {
  auto caller = std::make_shared<Caller>();
  caller->policy_bytes = policy_bytes;
  return {"secret", caller};
}
bool has(const KnownCallers& known, const std::string& key) { return known.find(key).has_value(); }

TEST_CASE("what was known before a change is forgotten and freed") {
  KnownCallers known;
  const std::uint64_t before = known.generation();
  Signatory ann = of(100);
  const std::weak_ptr<const Caller> held = ann.caller;
  known.keep("ann", before, ann);
  ann.caller.reset();
  CHECK(has(known, "ann"));
  known.forget();
  CHECK_FALSE(has(known, "ann"));
  CHECK(held.expired());
  // What was read before it is not kept after it.
  known.keep("bob", before, of(100));
  CHECK_FALSE(has(known, "bob"));
  known.keep("bob", known.generation(), of(100));
  CHECK(has(known, "bob"));
}

TEST_CASE("callers are bounded by their number and by the bytes of their policies") {
  KnownCallers known;
  const std::uint64_t now = known.generation();
  constexpr std::size_t half = limits::callers_remembered_bytes_max / 2;
  known.keep("a", now, of(half));
  known.keep("b", now, of(half));
  CHECK(has(known, "a"));
  // The same once more takes no more.
  known.keep("b", now, of(half));
  CHECK(has(known, "a"));
  known.keep("c", now, of(1));
  CHECK_FALSE(has(known, "a"));
  CHECK_FALSE(has(known, "b"));
  CHECK(has(known, "c"));
  known.keep("large", now, of(limits::callers_remembered_bytes_max + 1));
  CHECK_FALSE(has(known, "large"));
  CHECK(has(known, "c"));

  const Signatory one = of(0);
  for (std::size_t i = 1; i < limits::callers_remembered_max; ++i)
    known.keep(std::to_string(i), now, one);
  CHECK(has(known, "c"));
  known.keep("one more", now, one);
  CHECK_FALSE(has(known, "c"));
  CHECK(has(known, "one more"));
}

}  // namespace
}  // namespace gnomon::iam
