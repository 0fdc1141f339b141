// How many users, roles and managed policies there can be.
#include "iam/entities.h"

#include <doctest/doctest.h>

#include "iam/iam_fixture.h"
#include "iam/policies.h"
#include "iam/stored.h"

namespace gnomon::iam {
namespace {

constexpr const char* trust = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":
    {"AWS":"123456789012"},"Action":"sts:AssumeRole"}})";
constexpr const char* document =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})";

struct Counted : Fixture {
  explicit Counted(Table table) : of(table) {}

  [[nodiscard]] records::Key at() const {
    const char byte = static_cast<char>(of);
    return key(Table::count, {&byte, 1});
  }
  std::uint64_t number() {
    records::Transaction records(store);
    const auto count = load<Count>(records, at());
    return count ? count->number : 0;
  }
  void set(std::uint64_t number) {
    REQUIRE(change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
      save(records, at(), Count{number});
      return Nothing{};
    }));
  }
  void drop() {
    REQUIRE(change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
      records.erase(at());
      return Nothing{};
    }));
  }
  // What went wrong; nothing: it is made.
  std::optional<Failure> make(const std::string& name) {
    const auto failure = [](const auto& made) {
      return made ? std::optional<Failure>() : made.error();
    };
    if (of == Table::user) {
      return failure(create_user(iam, {.name = name, .path = "/", .tags = {}, .boundary = {}}));
    }
    if (of == Table::policy) {
      return failure(create_policy(
          iam, {.name = name, .path = "/", .description = {}, .document = document, .tags = {}}));
    }
    CreateRole role;
    role.name = name;
    role.trust = trust;
    return failure(create_role(iam, role));
  }
  bool remove(const std::string& name) {
    if (of == Table::policy)
      return delete_policy(iam, "arn:aws:iam::123456789012:policy/" + name).ok();
    return delete_entity(iam, {of == Table::user ? EntityKind::user : EntityKind::role, name}).ok();
  }

  const Table of;
};

TEST_CASE("users, roles and policies are counted, and there are no more than there may be") {
  struct Most {
    Table of;
    std::uint64_t most;
  };
  for (const auto& [of, most] :
       {Most{Table::user, 5000}, Most{Table::role, 1000}, Most{Table::policy, 1500}}) {
    CAPTURE(static_cast<int>(of));
    Counted world(of);
    CHECK_FALSE(world.make("one"));
    CHECK_FALSE(world.make("two"));
    CHECK(world.make("ONE")->kind == Kind::entity_already_exists);
    CHECK(world.number() == 2);
    CHECK(world.remove("one"));
    CHECK_FALSE(world.remove("one"));
    CHECK(world.number() == 1);

    world.set(most - 1);
    CHECK_FALSE(world.make("last"));
    const auto refused = world.make("beyond");
    REQUIRE(refused);
    CHECK(refused->kind == Kind::limit_exceeded);
    CHECK(refused->message.ends_with("PerAccount: " + std::to_string(most)));
    CHECK(world.remove("last"));
    CHECK_FALSE(world.make("another"));

    // A store without the record: they are counted once.
    world.drop();
    CHECK_FALSE(world.make("three"));
    CHECK(world.number() == 3);  // two, another, three
    world.drop();
    CHECK(world.remove("three"));
    CHECK(world.number() == 2);
  }
}

TEST_CASE("a user who gets another name stays one") {
  Counted world(Table::user);
  CHECK_FALSE(world.make("Ann"));
  REQUIRE(update_user(world.iam, "Ann", "Eve", std::nullopt));
  CHECK(world.number() == 1);
}

}  // namespace
}  // namespace gnomon::iam
