// How services take a role, and what of a session token may be changed: nothing.
#include "iam/sessions.h"

#include <doctest/doctest.h>

#include "iam/iam_fixture.h"

namespace gnomon::iam {
namespace {

constexpr const char* trust = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",
  "Principal":{"Service":"iot.amazonaws.com"},"Action":"sts:AssumeRole",
  "Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},
               "ArnLike":{"aws:SourceArn":"arn:aws:iot:us-east-1:123456789012:rule/*"}}}})";
const ServiceSource rule{"arn:aws:iot:us-east-1:123456789012:rule/one", "123456789012"};

TEST_CASE("a service takes a role that trusts it for what it is taken for, and no other") {
  Fixture fixture;
  CreateRole request;
  request.name = "r";
  request.path = "/p/";
  request.trust = trust;
  const auto role = create_role(fixture.iam, request);
  REQUIRE(role);
  const std::string role_arn = "arn:aws:iam::123456789012:role/p/r";
  const auto taken = assume(fixture.iam, role_arn, "iot.amazonaws.com", {"rule"}, rule);
  REQUIRE(taken);
  CHECK(taken->expiration == fixture.clock.now() + std::chrono::hours(1));
  const auto signatory =
      fixture.iam.signatory(taken->access_key_id, taken->session_token, fixture.clock.now());
  REQUIRE(signatory);
  CHECK(signatory->secret == taken->secret_access_key);
  CHECK(signatory->caller->arn == "arn:aws:sts::123456789012:assumed-role/r/rule");
  CHECK(signatory->caller->role_arn == role_arn);
  CHECK(signatory->caller->user_id == role->value.id + ":rule");

  const auto refused = [&](const char* arn, const char* service, const ServiceSource& source) {
    const auto answer = assume(fixture.iam, arn, service, {"rule"}, source);
    return !answer && answer.error().kind == Kind::denied;
  };
  CHECK(refused(role_arn.c_str(), "lambda.amazonaws.com", rule));
  CHECK(refused(role_arn.c_str(), "iot.amazonaws.com", {}));
  CHECK(refused(role_arn.c_str(), "iot.amazonaws.com", {rule.arn, "999999999999"}));
  CHECK(refused(role_arn.c_str(), "iot.amazonaws.com", {"arn:aws:iot:::thing/x", rule.account}));
  CHECK(refused("arn:aws:iam::123456789012:role/r", "iot.amazonaws.com", rule));
  CHECK(refused("arn:aws:iam::999999999999:role/p/r", "iot.amazonaws.com", rule));
  CHECK(refused("nonsense", "iot.amazonaws.com", rule));

  fixture.store.fail_after(0);
  const auto failed = assume(fixture.iam, role_arn, "iot.amazonaws.com", {"rule"}, rule);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == Kind::unavailable);
}

TEST_CASE("a token of which a character is another is none") {
  Fixture fixture;
  const auto root = fixture.iam.signatory("AKIAROOTROOTROOTROOT", "", fixture.clock.now());
  REQUIRE(root);
  const auto made = get_session_token(fixture.iam, *root->caller, std::nullopt);
  REQUIRE(made);
  for (std::size_t i = 0; i < made->session_token.size(); ++i) {
    std::string token = made->session_token;
    token[i] = token[i] == 'A' ? 'B' : 'A';
    const auto answer = fixture.iam.signatory(made->access_key_id, token, fixture.clock.now());
    REQUIRE_FALSE(answer);
    CHECK(answer.error().reason == KeyRefusal::Reason::bad_token);
  }
  CHECK(fixture.iam.signatory(made->access_key_id, made->session_token, fixture.clock.now()));
  fixture.iam.known = make_known_callers();
  fixture.iam.root.access_key_id = "AKIAANOTHERANOTHERAN";  // the root has another key now
  CHECK_FALSE(fixture.iam.signatory(made->access_key_id, made->session_token, fixture.clock.now()));
}

TEST_CASE("an access key whose secret was sealed under another master key says so") {
  Fixture fixture;
  CreateUser request;
  request.name = "Ann";
  REQUIRE(create_user(fixture.iam, request));
  const auto made = create_access_key(fixture.iam, "Ann");
  REQUIRE(made);
  CHECK(fixture.iam.signatory(made->value.key.id, "", fixture.clock.now()));
  for (const auto& [key, value] : fixture.content())
    CHECK(value.find(made->value.secret) == std::string::npos);
  fixture.iam.known = make_known_callers();
  fixture.sealer = crypto::Sealer(crypto::MasterKey{2});
  const auto answer = fixture.iam.signatory(made->value.key.id, "", fixture.clock.now());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason == KeyRefusal::Reason::unavailable);
  CHECK(*count_unreadable_keys(fixture.iam) == 1);
  REQUIRE(create_access_key(fixture.iam, "Ann"));
  CHECK(*count_unreadable_keys(fixture.iam) == 1);
  fixture.sealer = crypto::Sealer(crypto::MasterKey{1});
  CHECK(*count_unreadable_keys(fixture.iam) == 1);
}

}  // namespace
}  // namespace gnomon::iam
