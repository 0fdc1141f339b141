#include "iam/explain.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "iam/entities.h"
#include "iam/iam_fixture.h"
#include "iam/policies.h"
#include "iam/sessions.h"

namespace gnomon::iam {
namespace {

using policy::Verdict;

constexpr const char* ann = "arn:aws:iam::123456789012:user/Ann";
constexpr const char* things =
    R"({"Version":"2012-10-17","Statement":[{"Sid":"Own","Effect":"Allow","Action":"iot:*",
        "Resource":"arn:aws:iot:us-east-1:123456789012:thing/${aws:username}-*"},
        {"Effect":"Deny","Action":"iot:DeleteThing","Resource":"*",
         "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]})";
constexpr const char* thing = "arn:aws:iot:us-east-1:123456789012:thing/Ann-1";

struct Account : Fixture {
  Account() {
    REQUIRE(create_user(iam, {.name = "Ann", .path = "/", .tags = {}, .boundary = {}}));
    REQUIRE(put_policy(iam, {EntityKind::user, "Ann"}, "things", things));
  }
  void role(const std::string& name, const std::string& principal) {
    CreateRole request;
    request.name = name;
    request.trust = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":)" +
                    principal + R"(,"Action":"sts:AssumeRole"}})";
    REQUIRE(create_role(iam, request));
  }
  policy::Explanation ask(std::string_view principal, policy::Request request) {
    auto explanation = explain(iam, principal, request);
    REQUIRE_MESSAGE(explanation, explanation.error().message);
    return *std::move(explanation);
  }
  Kind refused(std::string_view principal, policy::Request request) {
    const auto explanation = explain(iam, principal, request);
    REQUIRE(!explanation);
    return explanation.error().kind;
  }
};

TEST_CASE("a user: the statement that decides, its variables, and keys that were given") {
  Account account;
  const auto yes = account.ask(ann, {.action = "iot:DeleteThing", .resource = thing});
  CHECK(yes.verdict == Verdict::allowed);
  REQUIRE(yes.statements.size() == 2);
  CHECK(yes.statements[0].policy == "things");
  CHECK(yes.statements[0].sid == "Own");
  REQUIRE(yes.statements[0].variables.size() == 1);
  CHECK(yes.statements[0].variables[0].values == std::vector<std::string>{"Ann"});
  CHECK(yes.statements[1].missing == std::vector<std::string>{"aws:SecureTransport"});

  const std::array<std::string_view, 1> values{"false"};
  const std::array keys{policy::KeyValues{"aws:SecureTransport", values}};
  const auto no = account.ask(ann, {"iot:DeleteThing", thing, keys});
  CHECK(no.verdict == Verdict::explicit_deny);
}

TEST_CASE("roles, their sessions, the root, and who is nobody") {
  Account account;
  account.role("Worker", R"({"AWS":"123456789012"})");
  REQUIRE(put_policy(account.iam, {EntityKind::role, "Worker"}, "p", things));
  const policy::Request request{.action = "iot:CreateThing", .resource = thing};
  for (const char* worker : {"arn:aws:iam::123456789012:role/Worker",
                             "arn:aws:sts::123456789012:assumed-role/Worker/one"}) {
    const auto explanation = account.ask(worker, request);
    CHECK(explanation.verdict == Verdict::implicit_deny);  // it has no aws:username
    CHECK(explanation.statements[0].variables[0].why == "has no value");
  }
  CHECK(account.ask("arn:aws:iam::123456789012:root", request).verdict == Verdict::allowed);
  for (const char* nobody :
       {"arn:aws:iam::123456789012:user/Bob", "arn:aws:iam::123456789012:user/path/Ann",
        "arn:aws:iam::123456789012:role/Ann", "arn:aws:iam::123456789012:group/g",
        "arn:aws:iam::210987654321:user/Ann", "arn:aws:sts::123456789012:assumed-role/Worker",
        "arn:aws:sts::123456789012:assumed-role/Other/one", ""}) {
    CAPTURE(nobody);
    CHECK(account.refused(nobody, request) == Kind::no_such_entity);
  }
  account.store.fail_after(0);
  CHECK(account.refused(ann, request) == Kind::unavailable);
}

TEST_CASE("AssumeRole: the trust policy has a say") {
  Account account;
  account.role("Hers", std::string(R"({"AWS":")") + ann + "\"}");
  account.role("Service", R"({"Service":"iot.amazonaws.com"})");
  const auto take = [](const char* role) {
    return policy::Request{.action = "sts:AssumeRole", .resource = role};
  };
  const auto hers = take("arn:aws:iam::123456789012:role/Hers");
  CHECK(account.ask(ann, hers).verdict == Verdict::allowed);
  CHECK(account.ask(ann, take("arn:aws:iam::123456789012:role/Service")).verdict ==
        Verdict::implicit_deny);
  CHECK(account.ask("arn:aws:iam::123456789012:root", hers).verdict == Verdict::explicit_deny);
  CHECK(account.refused(ann, take("arn:aws:iam::123456789012:role/None")) == Kind::no_such_entity);
}

}  // namespace
}  // namespace gnomon::iam
