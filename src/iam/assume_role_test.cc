// What the trust policy of a role is told when it decides, and what the session has then.
#include <doctest/doctest.h>

#include "iam/iam_fixture.h"
#include "iam/policies.h"
#include "iam/sessions.h"

namespace gnomon::iam {
namespace {

// A statement that lets everybody of the account, or denies it, if `condition` holds.
std::string statement(std::string_view effect, std::string_view actions,
                      std::string_view condition = "") {
  std::string text = R"({"Effect":")";
  text.append(effect).append(R"(","Principal":{"AWS":"123456789012"},"Action":)").append(actions);
  if (!condition.empty()) text.append(R"(,"Condition":{)").append(condition).append("}");
  return text + '}';
}
std::string trust_of(const std::string& first, const std::string& second = "") {
  return R"({"Version":"2012-10-17","Statement":[)" + first + (second.empty() ? "" : ",") + second +
         "]}";
}
constexpr const char* all_of_sts =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}})";

struct Account : Fixture {
  std::shared_ptr<const Caller> user(const std::string& name, const Tags& tags = {}) {
    REQUIRE(create_user(iam, {.name = name, .path = "/", .tags = tags, .boundary = {}}));
    REQUIRE(put_policy(iam, {EntityKind::user, name}, "p", all_of_sts));
    const auto made = create_access_key(iam, name);
    REQUIRE(made);
    return caller(made->value.key.id, "");
  }
  void role(const std::string& name, const std::string& trust, const Tags& tags = {}) {
    CreateRole request;
    request.name = name;
    request.trust = trust;
    request.tags = tags;
    const auto made = create_role(iam, request);
    REQUIRE_MESSAGE(made, made.error().message);
    REQUIRE(put_policy(iam, {EntityKind::role, name}, "p", all_of_sts));
  }
  std::shared_ptr<const Caller> caller(std::string_view id, std::string_view token) {
    const auto found = iam.signatory(id, token, clock.now());
    REQUIRE(found);
    return found->caller;
  }
  std::shared_ptr<const Caller> caller(const Credentials& session) {
    return caller(session.access_key_id, session.session_token);
  }
  static AssumeRole of(const std::string& role) {
    AssumeRole request;
    request.role_arn = "arn:aws:iam::123456789012:role/" + role;
    request.session_name = "s1";
    return request;
  }
  // Whether the caller may take the role.
  bool takes(const Caller& caller, const AssumeRole& request) {
    const auto answer = assume_role(iam, caller, request);
    if (!answer) CHECK(answer.error().kind == Kind::denied);
    return answer.ok();
  }
  std::shared_ptr<const Caller> take(const Caller& by, const AssumeRole& request) {
    const auto answer = assume_role(iam, by, request);
    REQUIRE_MESSAGE(answer, answer.error().message);
    return caller(answer->credentials);
  }
};

TEST_CASE("a trust policy knows the caller by all keys of a principal") {
  Account account;
  const auto blue = account.user("Blue", {{"team", "blue"}});
  const auto red = account.user("Red", {{"team", "red"}});
  const std::string any = statement("Allow", R"("sts:AssumeRole")");
  const auto only = [&](const std::string& name, const char* condition) {
    account.role(name, trust_of(statement("Allow", R"("sts:AssumeRole")", condition)));
    return account.of(name);
  };
  const auto but = [&](const std::string& name, const char* condition) {
    account.role(name, trust_of(any, statement("Deny", R"("sts:AssumeRole")", condition)));
    return account.of(name);
  };
  for (const AssumeRole& role : {
           only("tag", R"("StringEquals":{"aws:PrincipalTag/team":"blue"})"),
           but("not-tag", R"("StringEquals":{"aws:PrincipalTag/team":"red"})"),
           only("arn", R"("ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/Blue"})"),
           but("not-arn", R"("ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/Red"})"),
           only("name", R"("StringEquals":{"aws:username":"Blue"})"),
           but("not-name", R"("StringEquals":{"aws:username":"Red"})"),
           only("not-equal", R"("StringNotEquals":{"aws:username":"Red"})"),
       }) {
    CAPTURE(role.role_arn);
    CHECK(account.takes(*blue, role));
    CHECK_FALSE(account.takes(*red, role));
  }
  CHECK(account.takes(*red, only("account", R"("StringEquals":{"aws:PrincipalType":"User",
      "aws:PrincipalAccount":"123456789012"},"StringLike":{"aws:userid":"AIDA*"})")));

  // A key of their own has neither; a session of their own has both.
  const auto unproved = but("unproved", R"("BoolIfExists":{"aws:MultiFactorAuthPresent":"false"})");
  const auto unproved_session =
      but("unproved-session", R"("Bool":{"aws:MultiFactorAuthPresent":"false"})");
  const auto old = but("old", R"("DateLessThan":{"aws:TokenIssueTime":"2024-01-01T00:00:00Z"})");
  const auto fresh =
      but("fresh", R"("DateLessThan":{"aws:TokenIssueTime":"2023-01-01T00:00:00Z"})");
  CHECK_FALSE(account.takes(*blue, unproved));
  CHECK(account.takes(*blue, unproved_session));
  CHECK(account.takes(*blue, old));
  const auto made = get_session_token(account.iam, *blue, std::nullopt);
  REQUIRE(made);
  const auto own = account.caller(*made);
  CHECK(own->temporary);
  CHECK_FALSE(account.takes(*own, unproved));
  CHECK_FALSE(account.takes(*own, unproved_session));
  CHECK_FALSE(account.takes(*own, old));
  CHECK(account.takes(*own, fresh));
}

TEST_CASE("policies of one who uses a session of their own know that it is one") {
  Account account;
  const auto ann = account.user("Ann");
  REQUIRE(put_policy(account.iam, {EntityKind::user, "Ann"}, "p", R"({"Version":"2012-10-17",
      "Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"iot:Publish","Resource":"*",
         "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}},
        {"Effect":"Deny","Action":"iot:Connect","Resource":"*",
         "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2024-01-01T00:00:00Z"}}}]})"));
  const auto key = account.caller(ann->access_key_id, "");
  const auto made = get_session_token(account.iam, *ann, std::nullopt);
  REQUIRE(made);
  const auto session = account.caller(*made);
  for (const char* action : {"iot:Publish", "iot:Connect"}) {
    CAPTURE(action);
    const policy::Request request{.action = action, .resource = "*"};
    CHECK(authorise(*key, request) == policy::Verdict::allowed);
    CHECK(authorise(*session, request) == policy::Verdict::explicit_deny);
  }
}

TEST_CASE("tags of the role are keys of what is acted on") {
  Account account;
  const auto ann = account.user("Ann", {{"team", "blue"}});
  const std::string any = statement("Allow", R"("sts:AssumeRole")");
  const std::string same =
      statement("Allow", R"("sts:AssumeRole")",
                R"("StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"})");
  const std::string locked =
      statement("Deny", R"("sts:AssumeRole")", R"("StringEquals":{"iam:ResourceTag/lock":"1"})");
  account.role("blue", trust_of(same), {{"team", "blue"}});
  account.role("red", trust_of(same), {{"team", "red"}});
  account.role("none", trust_of(same));
  account.role("open", trust_of(any, locked));
  account.role("shut", trust_of(any, locked), {{"lock", "1"}});
  CHECK(account.takes(*ann, account.of("blue")));
  CHECK_FALSE(account.takes(*ann, account.of("red")));
  CHECK_FALSE(account.takes(*ann, account.of("none")));
  CHECK(account.takes(*ann, account.of("open")));
  CHECK_FALSE(account.takes(*ann, account.of("shut")));

  // As many as there can be, of the role and of the call.
  Tags most;
  for (int i = 0; i < 49; ++i) most["tag-" + std::to_string(i)] = "v";
  account.role("many", trust_of(statement("Allow", R"(["sts:AssumeRole","sts:TagSession"])",
                                          R"("StringEquals":{"aws:ResourceTag/team":"blue",
                                            "aws:RequestTag/team":"blue"})")));
  most["team"] = "blue";
  REQUIRE(tag_entity(account.iam, {EntityKind::role, "many"}, most));
  AssumeRole request = account.of("many");
  request.tags = most;
  request.external_id = "x";
  request.source_identity = "";
  CHECK(account.takes(*ann, request));
}

TEST_CASE("tag keys that differ in their case only are one") {
  Account account;
  const Owner ann{EntityKind::user, "Ann"};
  const auto caller = account.user("Ann", {{"Department", "a"}});
  REQUIRE(tag_entity(account.iam, ann, {{"department", "b"}}));
  CHECK(get_entity(account.iam, ann)->tags == Tags{{"department", "b"}});
  REQUIRE(untag_entity(account.iam, ann, {"DEPARTMENT"}));
  CHECK(get_entity(account.iam, ann)->tags.empty());

  const auto policy = create_policy(
      account.iam,
      {.name = "p", .path = "/", .description = {}, .document = all_of_sts, .tags = {{"A", "1"}}});
  REQUIRE(policy);
  const std::string policy_arn = arn(account.iam, policy->value);
  REQUIRE(tag_policy(account.iam, policy_arn, {{"a", "2"}}));
  CHECK(get_policy(account.iam, policy_arn)->tags == Tags{{"a", "2"}});
}

TEST_CASE("what is inherited cannot be given another value, in no case") {
  Account account;
  const auto ann = account.user("Ann");
  const std::string trust = trust_of(statement("Allow", R"(["sts:AssumeRole","sts:TagSession"])"));
  account.role("one", trust);
  account.role("two", trust);
  AssumeRole first = account.of("one");
  first.tags = {{"team", "blue"}};
  first.transitive_keys = {"Team"};  // the same key
  const auto session = account.take(*ann, first);
  CHECK(session->session_tags == Tags{{"team", "blue"}});

  AssumeRole second = account.of("two");
  second.tags = {{"TEAM", "red"}};
  const auto other = assume_role(account.iam, *session, second);
  REQUIRE_FALSE(other);
  CHECK(other.error().kind == Kind::validation);

  // It may be named once more; it goes on once.
  second.tags = {{"more", "1"}};
  second.transitive_keys = {"TEAM", "more", "More"};
  auto next = account.take(*session, second);
  CHECK(next->session_tags == Tags{{"more", "1"}, {"team", "blue"}});
  CHECK(next->transitive_keys.size() == 2);
  for (const char* role : {"one", "two", "one"}) next = account.take(*next, account.of(role));
  CHECK(next->session_tags == Tags{{"more", "1"}, {"team", "blue"}});
}

TEST_CASE("a role that is taken from a role must trust what goes on to it") {
  Account account;
  const auto ann = account.user("Ann");
  const std::string any = statement("Allow", R"("sts:*")");
  const std::string bare = statement("Allow", R"("sts:AssumeRole")");
  account.role("one", trust_of(any));
  account.role("bare", trust_of(bare));
  account.role("tagged", trust_of(statement("Allow", R"(["sts:AssumeRole","sts:TagSession"])",
                                            R"("StringEquals":{"aws:RequestTag/team":"blue"},
          "ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["team"],
                                       "aws:TagKeys":["team"]})")));
  account.role("known", trust_of(statement("Allow", R"(["sts:AssumeRole","sts:SetSourceIdentity"])",
                                           R"("StringEquals":{"sts:SourceIdentity":"Ann"})")));
  AssumeRole plain = account.of("one");
  AssumeRole tagged = plain, known = plain;
  tagged.tags = {{"team", "blue"}};
  tagged.transitive_keys = {"team"};
  known.source_identity = "Ann";
  const auto by_plain = account.take(*ann, plain);
  const auto by_tagged = account.take(*ann, tagged);
  const auto by_known = account.take(*ann, known);
  CHECK(account.takes(*by_plain, account.of("bare")));
  CHECK_FALSE(account.takes(*by_tagged, account.of("bare")));
  CHECK_FALSE(account.takes(*by_known, account.of("bare")));
  CHECK_FALSE(account.takes(*by_plain, account.of("tagged")));
  CHECK(account.takes(*by_tagged, account.of("tagged")));
  CHECK_FALSE(account.takes(*by_plain, account.of("known")));
  CHECK(account.takes(*by_known, account.of("known")));
}

TEST_CASE("a session has no more tags than it can, and none of AWS's own") {
  Account account;
  const auto ann = account.user("Ann");
  account.role("one", trust_of(statement("Allow", R"("sts:*")")));
  AssumeRole request = account.of("one");
  request.tags = {{"AWS:own", "1"}};
  const auto reserved = assume_role(account.iam, *ann, request);
  REQUIRE_FALSE(reserved);
  CHECK(reserved.error().kind == Kind::invalid_input);

  request.tags.clear();
  request.tags["inherited"] = "1";
  request.transitive_keys = {"inherited"};
  const auto session = account.take(*ann, request);
  request = account.of("one");
  for (int i = 0; i < 49; ++i) request.tags["tag-" + std::to_string(i)] = "v";
  CHECK(assume_role(account.iam, *session, request));
  request.tags["tag-50"] = "v";
  const auto many = assume_role(account.iam, *session, request);
  REQUIRE_FALSE(many);
  CHECK(many.error().kind == Kind::validation);
}

}  // namespace
}  // namespace gnomon::iam
