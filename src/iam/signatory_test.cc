// Who signs a call.
#include <doctest/doctest.h>

#include "iam/iam_fixture.h"
#include "iam/sessions.h"

namespace gnomon::iam {
namespace {

TEST_CASE("the root's key is the root's, and takes no token") {
  Fixture fixture;
  const auto now = fixture.clock.now();
  const auto root = fixture.iam.signatory("AKIAROOTROOTROOTROOT", "", now);
  REQUIRE(root);
  CHECK(root->secret == "root secret");
  CHECK(root->caller->kind == Caller::Kind::root);
  CHECK(root->caller->arn == "arn:aws:iam::123456789012:root");
  CHECK(root->caller->user_id == "123456789012");
  CHECK(root->caller->access_key_id == "AKIAROOTROOTROOTROOT");
  CHECK(authorise(*root->caller, {.action = "iot:CreateThing", .resource = "*"}) ==
        policy::Verdict::allowed);

  const auto with_token = fixture.iam.signatory("AKIAROOTROOTROOTROOT", "token", now);
  REQUIRE_FALSE(with_token);
  CHECK(with_token.error().reason == KeyRefusal::Reason::bad_token);
  const auto nobody = fixture.iam.signatory("AKIANOBODY", "", now);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().reason == KeyRefusal::Reason::unknown_key);
}

TEST_CASE("a caller of whom nothing is known may do nothing") {
  const Caller nobody;
  CHECK_FALSE(nobody.may_do_anything());
  CHECK(authorise(nobody, {.action = "iot:CreateThing", .resource = "*"}) ==
        policy::Verdict::implicit_deny);
}

TEST_CASE("a session of somebody's own may not call IAM, and may pass roles") {
  Fixture fixture;
  const auto root = fixture.iam.signatory("AKIAROOTROOTROOTROOT", "", fixture.clock.now());
  REQUIRE(root);
  const auto made = get_session_token(fixture.iam, *root->caller, 900);
  REQUIRE(made);
  const auto own =
      fixture.iam.signatory(made->access_key_id, made->session_token, fixture.clock.now());
  REQUIRE(own);
  for (const char* action : {"iam:PassRole", "IAM:passrole", "iot:CreateThing"})
    CHECK(authorise(*own->caller, {.action = action, .resource = "*"}) == policy::Verdict::allowed);
  for (const char* action : {"iam:PassRoles", "IAM:ListUsers"}) {
    CHECK(authorise(*own->caller, {.action = action, .resource = "*"}) ==
          policy::Verdict::explicit_deny);
  }
}

TEST_CASE("without a root key nobody is the root") {
  Fixture fixture;
  fixture.iam.root = {};
  CHECK_FALSE(fixture.iam.signatory("", "", fixture.clock.now()));
}

TEST_CASE("a caller is compiled once, until something changes") {
  Fixture fixture;
  CreateUser request;
  request.name = "Ann";
  REQUIRE(create_user(fixture.iam, request));
  const auto made = create_access_key(fixture.iam, "Ann");
  REQUIRE(made);
  const auto caller = [&] {
    const auto found = fixture.iam.signatory(made->value.key.id, "", fixture.clock.now());
    return found ? found->caller : nullptr;
  };
  const auto first = caller();
  REQUIRE(first);
  CHECK(caller() == first);
  fixture.store.fail_after(0);
  CHECK(caller() == first);  // without a look at the store
  CHECK(fixture.store.relent());

  REQUIRE(put_policy(fixture.iam, {EntityKind::user, "Ann"}, "p",
                     R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",
                         "Action":"iot:*","Resource":"*"}})"));
  const auto second = caller();
  REQUIRE(second);
  CHECK(second != first);
  const policy::Request connect{.action = "iot:Connect", .resource = "*"};
  CHECK(authorise(*first, connect) == policy::Verdict::implicit_deny);
  CHECK(authorise(*second, connect) == policy::Verdict::allowed);

  REQUIRE(update_access_key(fixture.iam, "Ann", made->value.key.id, false));
  CHECK_FALSE(caller());
}

TEST_CASE("a session that is remembered ends in time") {
  Fixture fixture;
  const auto root = fixture.iam.signatory("AKIAROOTROOTROOTROOT", "", fixture.clock.now());
  REQUIRE(root);
  const auto made = get_session_token(fixture.iam, *root->caller, 900);
  REQUIRE(made);
  const auto reason = [&] {
    const auto found =
        fixture.iam.signatory(made->access_key_id, made->session_token, fixture.clock.now());
    return found ? std::optional<KeyRefusal::Reason>() : found.error().reason;
  };
  CHECK_FALSE(reason());
  CHECK_FALSE(reason());
  fixture.clock.advance(std::chrono::minutes(15));
  CHECK(reason() == KeyRefusal::Reason::expired);
}

}  // namespace
}  // namespace gnomon::iam
