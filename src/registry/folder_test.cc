// What a folder is stamped with.
#include "registry/folder.h"

#include "registry/registry_fixture.h"

namespace gnomon::registry {
namespace {

TEST_CASE("a folder belongs to the account and region of its first start") {
  Fixture fixture;
  CHECK(stamp(fixture.store, "123456789012", "us-east-1").ok());
  CHECK(stamp(fixture.store, "123456789012", "us-east-1").ok());
  for (const auto& [account, region] :
       {std::pair("210987654321", "us-east-1"), std::pair("123456789012", "eu-west-1")}) {
    const auto other = stamp(fixture.store, account, region);
    REQUIRE(!other.ok());
    CHECK(other.error().code == Code::conflict);
    CHECK(other.error().message.find("account 123456789012 and region us-east-1") !=
          std::string::npos);
  }
}

TEST_CASE("what was made once is remembered") {
  Fixture fixture;
  CHECK(*was_made(fixture.registry, "policies") == false);
  const auto made = change(fixture.registry, [](Change& change) -> Reply<Nothing> {
    note_made(change, "policies");
    return Nothing{};
  });
  REQUIRE(made.ok());
  CHECK(*was_made(fixture.registry, "policies") == true);
  CHECK(*was_made(fixture.registry, "others") == false);
}

}  // namespace
}  // namespace gnomon::registry
