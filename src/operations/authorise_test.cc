// What users and roles may do at the front door, by their policies.
#include <array>

#include <doctest/doctest.h>

#include "api/uri.h"
#include "iam/policies.h"
#include "iam/sessions.h"
#include "operations/front_door_fixture.h"

namespace gnomon::operations {
namespace {

using iam::EntityKind;
using testing::error_type;

constexpr const char* account = "123456789012";

std::string statement(std::string_view effect, std::string_view action, std::string_view resource,
                      std::string_view condition = "") {
  std::string text = R"({"Effect":")";
  text.append(effect).append(R"(","Action":")").append(action);
  text.append(R"(","Resource":")").append(resource).append("\"");
  if (!condition.empty()) text.append(R"(,"Condition":{)").append(condition).append("}");
  return text + '}';
}
template <class... T>
std::string policy_of(const T&... statements) {
  std::string all;
  ((all += (all.empty() ? "" : ",") + statements), ...);
  return R"({"Version":"2012-10-17","Statement":[)" + all + "]}";
}
std::string thing(std::string_view name) {
  return "arn:aws:iot:us-east-1:" + std::string(account) + ":thing/" + std::string(name);
}
std::string role_arn(std::string_view name) {
  return "arn:aws:iam::" + std::string(account) + ":role/" + std::string(name);
}

struct World : testing::Fixture {
  // A new user with these inline policies, and their key.
  api::Signer user(const std::string& name, const std::string& document,
                   const std::string& path = "/") {
    REQUIRE(iam::create_user(iam, {.name = name, .path = path, .tags = {}, .boundary = {}}).ok());
    if (!document.empty())
      REQUIRE(iam::put_policy(iam, {EntityKind::user, name}, "own", document).ok());
    auto made = iam::create_access_key(iam, name);
    REQUIRE(made.ok());
    return {made->value.key.id, made->value.secret, "", "us-east-1", "iot"};
  }
  void role(const std::string& name, const std::string& trust, const std::string& document = "") {
    iam::CreateRole request;
    request.name = name;
    request.trust = trust;
    const auto made = iam::create_role(iam, request);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    if (!document.empty())
      REQUIRE(iam::put_policy(iam, {EntityKind::role, name}, "own", document).ok());
  }
  Answer rest(const api::Signer& by, std::string method, std::string target,
              std::string body = {}) {
    return call(sign(request(std::move(method), std::move(target), std::move(body)), by));
  }
  // Of iam or sts: "Action=GetUser&UserName=Ann".
  Answer form(api::Signer by, std::string service, const std::string& body) {
    by.service = service;
    const char* version = service == "iam" ? "&Version=2010-05-08" : "&Version=2011-06-15";
    net::Request asked = request("POST", "/", body + version);
    asked.headers.push_back({"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"});
    return call(sign(std::move(asked), by));
  }
};

void check_denied(const Answer& answer, std::string_view words) {
  CHECK(answer.response.status == 403);
  CHECK(answer.error == "AccessDeniedException");
  CHECK_MESSAGE(answer.response.body.find(words) != std::string::npos, answer.response.body);
  CHECK(answer.done.sequence == 0);
}

TEST_CASE("a user may do what their policy allows, and nothing else is written") {
  World world;
  const auto ann =
      world.user("Ann", policy_of(statement("Allow", "iot:CreateThing", thing("lamp-*")),
                                  statement("Deny", "iot:*", thing("lamp-9"))));
  CHECK(world.rest(ann, "POST", "/things/lamp-1", "{}").response.status == 200);
  const auto before = world.registry.content();
  check_denied(world.rest(ann, "POST", "/things/fan-1", "{}"),
               "User: arn:aws:iam::123456789012:user/Ann is not authorized to perform: "
               "iot:CreateThing on resource: arn:aws:iot:us-east-1:123456789012:thing/fan-1 "
               "because no policy allows the iot:CreateThing action");
  check_denied(world.rest(ann, "POST", "/things/lamp-9", "{}"), "with an explicit deny");
  check_denied(world.rest(ann, "DELETE", "/things/lamp-1"), "iot:DeleteThing");
  // A name that is encoded is asked about as it is meant.
  check_denied(world.rest(ann, "POST", "/things/lamp%2D9", "{}"), "with an explicit deny");
  // All that a call acts on: a billing group too.
  check_denied(world.rest(ann, "POST", "/things/lamp-2", R"({"billingGroupName":"b"})"),
               "billinggroup/b");
  CHECK(world.registry.content() == before);

  REQUIRE(iam::delete_policy(world.iam, {EntityKind::user, "Ann"}, "own").ok());
  check_denied(world.rest(ann, "POST", "/things/lamp-3", "{}"), "no policy allows");
}

TEST_CASE("a boundary and a session policy take away, and give nothing") {
  World world;
  const auto ann = world.user("Ann", policy_of(statement("Allow", "iot:*", "*")));
  const auto bound =
      iam::create_policy(world.iam, {.name = "bound",
                                     .path = "/",
                                     .description = {},
                                     .document = policy_of(statement("Allow", "iot:Describe*", "*"),
                                                           statement("Allow", "s3:*", "*")),
                                     .tags = {}});
  REQUIRE(bound.ok());
  const std::string arn = "arn:aws:iam::123456789012:policy/bound";
  REQUIRE(iam::set_boundary(world.iam, {EntityKind::user, "Ann"}, arn).ok());
  check_denied(world.rest(ann, "POST", "/things/lamp", "{}"), "iot:CreateThing");
  CHECK(world.rest(ann, "GET", "/things/lamp").response.status == 404);
  REQUIRE(iam::set_boundary(world.iam, {EntityKind::user, "Ann"}, "").ok());
  CHECK(world.rest(ann, "POST", "/things/lamp", "{}").response.status == 200);
}

TEST_CASE("keys of the call, and tags of what it acts on") {
  World world;
  const auto ann = world.user(
      "Ann",
      policy_of(
          statement("Allow", "iot:*", "*", R"("IpAddress":{"aws:SourceIp":"192.0.2.0/24"})"),
          statement("Deny", "iot:*", "*", R"("StringEquals":{"aws:ResourceTag/locked":"yes"})"),
          statement("Deny", "iot:*", "*", R"("StringEquals":{"aws:RequestTag/stage":"live"})")));
  const auto group = [&](const char* name, const char* tags) {
    return world.rest(ann, "POST", std::string("/thing-groups/") + name, tags);
  };
  CHECK(group("open", R"({"tags":[{"Key":"locked","Value":"no"}]})").response.status == 200);
  CHECK(group("shut", R"({"tags":[{"Key":"locked","Value":"yes"}]})").response.status == 200);
  check_denied(group("live", R"({"tags":[{"Key":"stage","Value":"live"}]})"), "explicit deny");
  CHECK(world.rest(ann, "GET", "/thing-groups/open").response.status == 200);
  check_denied(world.rest(ann, "GET", "/thing-groups/shut"), "thinggroup/shut");
  // Of several resources each has its own tags.
  check_denied(world.rest(ann, "POST", "/thing-groups/child", R"({"parentGroupName":"shut"})"),
               "thinggroup/shut");
  CHECK(group("child", R"({"parentGroupName":"open"})").response.status == 200);
  // What makes it so is asked about, too: who may not touch it may not unlock it.
  check_denied(world.rest(ann, "POST", "/untag",
                          R"({"resourceArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/shut",)"
                          R"("tagKeys":["locked"]})"),
               "iot:UntagResource");

  world.address = "198.51.100.1";
  check_denied(world.rest(ann, "GET", "/thing-groups/open"), "no policy allows");
}

TEST_CASE("tags of users and roles are keys of both names") {
  World world;
  REQUIRE(iam::create_user(world.iam,
                           {.name = "Bob", .path = "/", .tags = {{"team", "a"}}, .boundary = {}})
              .ok());
  REQUIRE(iam::create_user(world.iam,
                           {.name = "Eve", .path = "/", .tags = {{"team", "b"}}, .boundary = {}})
              .ok());
  const auto ann =
      world.user("Ann", policy_of(statement("Allow", "iam:GetUser", "*",
                                            R"("StringEquals":{"iam:ResourceTag/team":"a"})"),
                                  statement("Allow", "iam:ListAccessKeys", "*",
                                            R"("StringEquals":{"aws:ResourceTag/team":"a"})")));
  for (const char* action : {"GetUser", "ListAccessKeys"}) {
    const std::string asked = std::string("Action=") + action + "&UserName=";
    CHECK(world.form(ann, "iam", asked + "Bob").response.status == 200);
    CHECK(world.form(ann, "iam", asked + "Eve").response.status == 403);
    CHECK(world.form(ann, "iam", asked + "Nobody").response.status == 403);
  }
}

TEST_CASE("users are asked about by their path") {
  World world;
  const auto ann = world.user(
      "Ann", policy_of(statement("Allow", "iam:*", "arn:aws:iam::123456789012:user/staff/*")),
      "/staff/");
  CHECK(world.form(ann, "iam", "Action=GetUser").response.status == 200);
  CHECK(world.form(ann, "iam", "Action=GetUser&UserName=Ann").response.status == 200);
  (void)world.user("Bob", "");
  const Answer bob = world.form(ann, "iam", "Action=GetUser&UserName=Bob");
  CHECK(bob.response.status == 403);
  CHECK(bob.response.body.find("user/Bob") != std::string::npos);
  // Nobody learns who is not there.
  CHECK(world.form(ann, "iam", "Action=GetUser&UserName=Nobody").response.status == 403);
}

// The guards of AWS's "Permissions boundaries for IAM entities": Ann may make users, and give them
// policies, within a boundary, and may not take it away.
TEST_CASE("a guard of boundaries knows the one that is there") {
  World world;
  for (const char* name : {"bound", "other"}) {
    REQUIRE(iam::create_policy(world.iam, {.name = name,
                                           .path = "/",
                                           .description = {},
                                           .document = policy_of(statement("Allow", "iot:*", "*")),
                                           .tags = {}})
                .ok());
  }
  const std::string bound = "arn:aws:iam::123456789012:policy/bound";
  const std::string other = "arn:aws:iam::123456789012:policy/other";
  const std::string within = R"("StringEquals":{"iam:PermissionsBoundary":")" + bound + "\"}";
  const auto ann = world.user(
      "Ann", policy_of(statement("Allow", "iam:*UserPolicy", "*", within),
                       statement("Allow", "iam:*RolePolicy", "*", within),
                       statement("Allow", "iam:*PermissionsBoundary", "*"),
                       statement("Deny", "iam:Delete*PermissionsBoundary", "*", within)));
  const std::string trust = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":
      {"AWS":"123456789012"},"Action":"sts:AssumeRole"}})";
  for (const auto& [kind, name] : {std::pair("User", "Bob"), std::pair("Role", "bob")}) {
    CAPTURE(kind);
    const bool user = std::string_view(kind) == "User";
    const iam::Owner owner{user ? EntityKind::user : EntityKind::role, name};
    if (user) {
      (void)world.user(name, "");
    } else {
      world.role(name, trust);
    }
    const auto ask = [&](const std::string& verb, const std::string& what,
                         const std::string& more) {
      return world
          .form(ann, "iam", "Action=" + verb + kind + what + '&' + kind + "Name=" + name + more)
          .response.status;
    };
    const std::string document = "&PolicyName=p&PolicyDocument=" +
                                 api::percent_encode(policy_of(statement("Allow", "*", "*")));
    const std::string managed = "&PolicyArn=" + api::percent_encode(other);
    const auto all = [&] {
      return std::array{ask("Attach", "Policy", managed), ask("Detach", "Policy", managed),
                        ask("Put", "Policy", document), ask("Delete", "Policy", "&PolicyName=p")};
    };
    const std::array allowed{200, 200, 200, 200}, denied{403, 403, 403, 403};
    CHECK(all() == denied);
    REQUIRE(iam::set_boundary(world.iam, owner, other).ok());
    CHECK(all() == denied);
    CHECK(ask("Delete", "PermissionsBoundary", "") == 200);
    REQUIRE(iam::set_boundary(world.iam, owner, bound).ok());
    CHECK(all() == allowed);
    CHECK(ask("Delete", "PermissionsBoundary", "") == 403);
    // Of the one that is put the call tells, and not of the one that is there.
    CHECK(ask("Put", "PermissionsBoundary", "&PermissionsBoundary=" + api::percent_encode(other)) ==
          200);
    CHECK(iam::get_entity(world.iam, owner)->boundary == other);
  }
}

TEST_CASE("a user is renamed by who may change them and may make them the other") {
  World world;
  const auto make = [&](const std::string& name, const std::string& team) {
    REQUIRE(iam::create_user(world.iam,
                             {.name = name, .path = "/", .tags = {{"team", team}}, .boundary = {}})
                .ok());
  };
  make("Bob", "a");
  make("Eve", "b");
  const auto on = [](std::string_view name) {
    return "arn:aws:iam::123456789012:user/" + std::string(name);
  };
  const std::string of_team = R"("StringEquals":{"iam:ResourceTag/team":"a"})";
  const std::string from_here = R"("IpAddress":{"aws:SourceIp":"192.0.2.0/24"})";
  const auto ann = world.user(
      "Ann", policy_of(statement("Allow", "iam:UpdateUser", "*", of_team + ',' + from_here),
                       statement("Deny", "iam:UpdateUser", on("admin/*"), of_team)));
  const auto update = [&](const std::string& what) {
    return world.form(ann, "iam", "Action=UpdateUser&UserName=" + what).response.status;
  };
  CHECK(update("Eve&NewUserName=Eva") == 403);
  CHECK(update("Bob&NewUserName=Bert") == 200);
  CHECK(update("Bert&NewPath=/staff/") == 200);
  // The Deny knows the tags, too.
  CHECK(update("Bert&NewPath=/admin/") == 403);
  // Who may change just this one may do so if nothing of it becomes another.
  const auto cid = world.user("Cid", policy_of(statement("Allow", "iam:UpdateUser", on("Eve"))));
  CHECK(world.form(cid, "iam", "Action=UpdateUser&UserName=Eve").response.status == 200);
  CHECK(world.form(cid, "iam", "Action=UpdateUser&UserName=Eve&NewUserName=X").response.status ==
        403);
}

TEST_CASE("a role is given to a service only by who may pass it to that service") {
  World world;
  world.role("device", R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":
      {"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}})");
  const std::string create = R"({"roleArn":")" + role_arn("device") + "\"}";
  const auto may = statement("Allow", "iot:CreateRoleAlias", "*");
  const auto pass_to = [](std::string_view service) {
    return statement("Allow", "iam:PassRole", role_arn("device"),
                     R"("StringEquals":{"iam:PassedToService":")" + std::string(service) + "\"}");
  };
  const auto ann = world.user("Ann", policy_of(may));
  check_denied(world.rest(ann, "POST", "/role-aliases/a", create),
               "iam:PassRole on resource: arn:aws:iam::123456789012:role/device");
  const auto bob = world.user("Bob", policy_of(may, pass_to("lambda.amazonaws.com")));
  check_denied(world.rest(bob, "POST", "/role-aliases/a", create), "iam:PassRole");
  const auto eve = world.user("Eve", policy_of(may, pass_to("credentials.iot.amazonaws.com")));
  CHECK(world.rest(eve, "POST", "/role-aliases/a", create).response.status == 200);
}

// The temporary key in an answer of STS.
api::Signer session_of(const Answer& answer) {
  REQUIRE_MESSAGE(answer.response.status == 200, answer.response.body);
  const auto between = [&](const std::string& name) {
    const std::string& text = answer.response.body;
    const std::size_t begin = text.find('<' + name + '>') + name.size() + 2;
    return text.substr(begin, text.find("</" + name, begin) - begin);
  };
  return {between("AccessKeyId"), between("SecretAccessKey"), between("SessionToken"), "us-east-1",
          "iot"};
}

TEST_CASE("the trust policy of a role decides, with what the caller's policies say") {
  World world;
  const auto trust = [](std::string_view who, std::string_view condition = "") {
    std::string text = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":)"
                       R"({"AWS":"arn:aws:iam::123456789012:)";
    text.append(who).append(R"("},"Action":"sts:AssumeRole")");
    if (!condition.empty()) text.append(R"(,"Condition":{)").append(condition).append("}");
    return text + "}}";
  };
  const auto take = [&](const api::Signer& by, const std::string& name,
                        const std::string& more = "") {
    return world.form(by, "sts",
                      "Action=AssumeRole&RoleSessionName=s1&RoleArn=" +
                          api::percent_encode(role_arn(name)) + more);
  };
  const auto ann = world.user("Ann", "");
  const auto bob = world.user("Bob", policy_of(statement("Allow", "sts:AssumeRole", "*")));
  const auto eve = world.user("Eve", policy_of(statement("Deny", "sts:AssumeRole", "*")));
  world.role("hers", trust("user/Ann"), policy_of(statement("Allow", "iot:DescribeThing", "*")));
  world.role("ours", trust("root"));
  world.role("eves", trust("user/Eve"));
  world.role("near", trust("user/Ann", R"("IpAddress":{"aws:SourceIp":"198.51.100.0/24"})"));

  // It names her: her own policies, of which she has none, need not.
  const auto session = session_of(take(ann, "hers"));
  CHECK(world.rest(session, "GET", "/things/lamp").response.status == 404);
  check_denied(world.rest(session, "POST", "/things/lamp", "{}"),
               "arn:aws:sts::123456789012:assumed-role/hers/s1");
  CHECK(take(bob, "hers").response.status == 403);
  // It names the account: their own policies decide.
  CHECK(take(ann, "ours").response.status == 403);
  CHECK(take(bob, "ours").response.status == 200);
  // A Deny is stronger than its name.
  CHECK(take(eve, "eves").response.status == 403);
  // Its conditions are those of the call.
  CHECK(take(ann, "near").response.status == 403);
  world.address = "198.51.100.7";
  CHECK(take(ann, "near").response.status == 200);
  world.address = "192.0.2.1";

  // A session policy takes away.
  const auto less = session_of(
      take(ann, "hers",
           "&Policy=" + api::percent_encode(policy_of(statement("Allow", "iot:List*", "*")))));
  check_denied(world.rest(less, "GET", "/things/lamp"), "iot:DescribeThing");
  // Without its token the key is nobody's; after an hour it is over.
  api::Signer bare = session;
  bare.security_token.clear();
  CHECK(world.rest(bare, "GET", "/things/lamp").response.status == 403);
  world.registry.clock.advance(std::chrono::hours(1));
  const Answer late = world.rest(session, "GET", "/things/lamp");
  CHECK(late.response.status == 403);
  CHECK(error_type(late) == "ExpiredTokenException");
}

TEST_CASE("sessions of the root's own may do all but what IAM does") {
  World world;
  const auto own = session_of(world.form(world.signer, "sts", "Action=GetSessionToken"));
  CHECK(world.rest(own, "POST", "/things/lamp", "{}").response.status == 200);
  const Answer users = world.form(own, "iam", "Action=ListUsers");
  CHECK(users.response.status == 403);
  CHECK(users.response.body.find("because a session of GetSessionToken cannot call IAM") !=
        std::string::npos);
  world.role("device", R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":
      {"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}})");
  CHECK(world.rest(own, "POST", "/role-aliases/a", R"({"roleArn":")" + role_arn("device") + "\"}")
            .response.status == 200);
  CHECK(world.form(own, "sts", "Action=GetCallerIdentity").response.status == 200);
}

TEST_CASE("a key that is switched off, deleted or whose user is gone opens nothing") {
  World world;
  const auto ann = world.user("Ann", policy_of(statement("Allow", "*", "*")));
  CHECK(world.rest(ann, "GET", "/things").response.status == 200);
  REQUIRE(iam::update_access_key(world.iam, "Ann", ann.access_key_id, false).ok());
  CHECK(world.rest(ann, "GET", "/things").response.status == 403);
  REQUIRE(iam::update_access_key(world.iam, "Ann", ann.access_key_id, true).ok());
  CHECK(world.rest(ann, "GET", "/things").response.status == 200);
  REQUIRE(iam::delete_access_key(world.iam, "Ann", ann.access_key_id).ok());
  CHECK(error_type(world.rest(ann, "GET", "/things")) == "UnrecognizedClientException");
}

TEST_CASE("what of IAM is changed tells that its callers have") {
  World world;
  CHECK(world.form(world.signer, "iam", "Action=CreateUser&UserName=Ann").done.callers);
  CHECK_FALSE(world.form(world.signer, "iam", "Action=GetUser&UserName=Ann").done.callers);
  CHECK_FALSE(world.rest(world.signer, "POST", "/things/lamp", "{}").done.callers);
}

// A store that fails while it is asked whether a Deny holds.
TEST_CASE("what cannot be told is not allowed") {
  World world;
  const auto ann = world.user(
      "Ann",
      policy_of(statement("Allow", "*", "*"),
                statement("Deny", "*", "*", R"("Null":{"aws:ResourceTag/locked":"false"})")));
  CHECK(world.rest(ann, "GET", "/things/lamp").response.status == 404);  // known from now on
  int reads = 0;
  for (bool failed = true; failed; ++reads) {
    CAPTURE(reads);
    world.registry.store.fail_after(reads);
    const Answer answer =
        world.rest(ann, "POST", "/thing-groups/g", R"({"tags":[{"Key":"locked","Value":"1"}]})");
    failed = world.registry.store.relent() == false;
    CHECK(answer.response.status == (failed ? 503 : 200));
  }
  CHECK(reads > 2);
  // The tag is there now, and denies; not so if its record could not be read.
  check_denied(world.rest(ann, "GET", "/thing-groups/g"), "explicit deny");
  for (const int read : {0, 1}) {
    world.registry.store.fail_after(read);
    CHECK(world.rest(ann, "GET", "/thing-groups/g").response.status == 503);
  }
}

}  // namespace
}  // namespace gnomon::operations
