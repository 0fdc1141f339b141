#include "policy/policy_set.h"

#include <cstdio>
#include <cstdlib>
#include <new>

#include <doctest/doctest.h>

#include "base/clock.h"
#include "policy/explain.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// Counted, so that a check can be seen to need none.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace gnomon::policy {
namespace {

Source source(const std::string& statements, Dialect dialect = Dialect::iot) {
  const auto document =
      parse("{\"Version\":\"2012-10-17\",\"Statement\":[" + statements + "]}", dialect);
  REQUIRE_MESSAGE(document.ok(), document.error().message);
  return {"dev:1", "certificate 6fa4", std::make_shared<const Document>(*document)};
}

// Ten statements as devices have them; the last one that is looked at allows a publish.
PolicySet ten_statements(Dialect dialect) {
  const std::string arn = "arn:aws:iot:us-east-1:123456789012:";
  const auto allow = [&](const std::string& actions, const std::string& resources) {
    return R"({"Effect":"Allow","Action":)" + actions + R"(,"Resource":)" + resources + "},";
  };
  const auto one = [&](const std::string& name) { return '"' + arn + name + '"'; };
  const std::string thing = "${iot:Connection.Thing.ThingName}";
  const std::string text =
      allow("\"iot:Connect\"", one("client/" + thing)) +
      allow("\"iot:Subscribe\"", one("topicfilter/$aws/things/" + thing + "/*")) +
      allow("[\"iot:Publish\",\"iot:Receive\"]", one("topic/$aws/things/" + thing + "/shadow/*")) +
      allow("[\"iot:Publish\",\"iot:Receive\"]", one("topic/$aws/things/" + thing + "/jobs/*")) +
      allow("\"iot:Subscribe\"", one("topicfilter/cmd/" + thing + "/+/now")) +
      allow("\"iot:Receive\"", one("topic/cmd/" + thing + "/*/now")) +
      allow("[\"iot:GetThingShadow\",\"iot:UpdateThingShadow\"]", one("thing/" + thing)) +
      allow("\"iot:RetainPublish\"", one("topic/state/" + thing)) +
      R"({"Effect":"Deny","Action":"iot:Publish","Resource":)" + one("topic/*/locked") + "}," +
      R"({"Effect":"Allow","Action":"iot:Publish","Resource":)" +
      one("topic/dt/" + thing + "/*/temp?") + "}";
  Variables variables;
  variables.set("iot:ClientId", "lamp-0000017");
  variables.set("iot:Connection.Thing.ThingName", "lamp-0000017");
  return PolicySet::compile({source(text, dialect)},
                            std::make_shared<const Variables>(std::move(variables)));
}

constexpr std::string_view publish_resource =
    "arn:aws:iot:us-east-1:123456789012:topic/dt/lamp-0000017/kitchen/temp1";

TEST_CASE("a check allocates nothing") {
  for (const Dialect dialect : {Dialect::iot, Dialect::iam}) {
    const PolicySet set = ten_statements(dialect);
    const Request request{.action = "iot:Publish", .resource = publish_resource};
    const std::size_t before = allocations;
    const Verdict allowed = set.check(request);
    const Verdict denied = set.check({.action = "iot:Receive", .resource = publish_resource});
    CHECK(allocations == before);
    CHECK(allowed == Verdict::allowed);
    CHECK(denied == Verdict::implicit_deny);
  }
}

TEST_CASE("nor with conditions of every kind and variables of the request") {
  const PolicySet set = PolicySet::compile({source(
      R"({"Effect":"Allow","Action":"iot:*","Resource":"arn:aws:iot:*:*:topic/${iot:DomainName}/*",
      "Condition":{"StringLike":{"a":"x*"},"NumericLessThan":{"n":"5"},
      "DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},
      "NumericGreaterThan":{"aws:EpochTime":0},"Bool":{"b":"true"},
      "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"ArnLike":{"r":"arn:aws:iot:*:*:rule/*"},
      "Null":{"missing":"true"},"ForAllValues:StringEqualsIgnoreCase":{"l":["P","Q"]}}})")});
  constexpr std::string_view domain[] = {"d.example"}, a[] = {"xyz"}, n[] = {"4.5"}, b[] = {"true"},
                             ip[] = {"10.1.2.3"}, l[] = {"p", "q"},
                             r[] = {"arn:aws:iot:us-east-1:123456789012:rule/r"};
  const KeyValues keys[] = {{"iot:DomainName", domain}, {"a", a}, {"n", n}, {"b", b},
                            {"aws:SourceIp", ip},       {"r", r}, {"l", l}};
  const Request request{.action = "iot:Publish",
                        .resource = "arn:aws:iot:us-east-1:123456789012:topic/d.example/x",
                        .keys = keys,
                        .now = {1'700'000'000'000}};
  const std::size_t before = allocations;
  const Verdict verdict = set.check(request);
  CHECK(allocations == before);
  CHECK(verdict == Verdict::allowed);
}

// Prints what a check takes; the limit is wide, as builds without optimisation run this, too.
TEST_CASE("speed of a check of ten statements") {
  const SystemMonotonicClock clock;
  for (const Dialect dialect : {Dialect::iot, Dialect::iam}) {
    const PolicySet set = ten_statements(dialect);
    const Request request{.action = "iot:Publish", .resource = publish_resource};
    constexpr int checks = 20'000;
    Duration best = std::chrono::hours(1);
    int allowed = 0;
    for (int round = 0; round < 20; ++round) {
      const Instant begin = clock.now();
      for (int i = 0; i < checks; ++i) allowed += set.check(request) == Verdict::allowed ? 1 : 0;
      best = std::min(best, clock.now() - begin);
    }
    CHECK(allowed == 20 * checks);
    const auto ns = static_cast<double>(best.count()) / checks;
    std::printf("policy: %.0f ns a check of ten statements (%s)\n", ns,
                dialect == Dialect::iot ? "iot" : "iam");
    CHECK(ns < 20'000);
  }
}

TEST_CASE("what was read is known") {
  Variables variables;
  variables.set("iot:Connection.Thing.Attributes[site]", "hq");
  const std::string text = R"(
      {"Effect":"Allow","Action":"iot:Publish",
       "Resource":["arn:aws:iot:*:*:topic/${iot:Connection.Thing.Attributes[site]}",
                   "arn:aws:iot:*:*:topic/${iot:ClientId}"],
       "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}},
      {"Effect":"Deny","Action":"iot:Publish",
       "Resource":"arn:aws:iot:*:*:topic/${iot:ClientId}"})";
  const PolicySet set =
      PolicySet::compile({source(text)}, std::make_shared<const Variables>(variables));
  CHECK(set.keys() == std::vector<std::string>{"iot:ClientId",
                                               "iot:Connection.Thing.Attributes[site]",
                                               "iot:Connection.Thing.IsAttached"});
  CHECK(set.reads("iot:Connection.Thing.Attributes["));
  CHECK_FALSE(set.reads("iot:Connection.Thing.ThingTypeName"));
  REQUIRE(set.sources().size() == 1);
  CHECK(set.sources()[0].via == "certificate 6fa4");
}

TEST_CASE("the set stays what it is when its makings go, and when it moves") {
  PolicySet kept;
  {
    Variables variables;
    variables.set("k", "a");  // short: it lies inside of its string
    PolicySet set = PolicySet::compile({source(R"({"Effect":"Allow","Action":"iot:A","Resource":"*",
                    "Condition":{"StringEquals":{"k":"${other}"}}})")},
                                       std::make_shared<const Variables>(std::move(variables)));
    kept = std::move(set);
  }
  constexpr std::string_view a[] = {"a"}, b[] = {"b"};
  const KeyValues equal[] = {{"other", a}}, unequal[] = {{"other", b}};
  CHECK(kept.check({.action = "iot:A", .resource = "*", .keys = equal}) == Verdict::allowed);
  CHECK(kept.check({.action = "iot:A", .resource = "*", .keys = unequal}) ==
        Verdict::implicit_deny);
}

TEST_CASE("an empty set allows nothing") {
  CHECK(PolicySet().check({.action = "iot:Publish", .resource = "*"}) == Verdict::implicit_deny);
  CHECK(PolicySet().grant({.action = "iot:Publish", .resource = "*"}) == Grant::none);
  CHECK(evaluate({}, {.action = "iot:Publish", .resource = "*"}) == Verdict::implicit_deny);
}

TEST_CASE("two authorities") {
  using enum Verdict;
  CHECK(intersect(allowed, allowed) == allowed);
  CHECK(intersect(allowed, implicit_deny) == implicit_deny);
  CHECK(intersect(explicit_deny, allowed) == explicit_deny);
  CHECK(intersect(implicit_deny, explicit_deny) == explicit_deny);
}

TEST_CASE("what allows everything is known to") {
  const auto everything = [](const std::string& statements) {
    return PolicySet::compile({source(statements)}).allows_everything("iot");
  };
  const std::string all = R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})";
  const std::string deny =
      R"({"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:r:a:topic/x"})";
  CHECK(everything(all));
  CHECK(everything(
      R"({"Effect":"Allow","Action":["iot:Connect","*"],
          "Resource":["arn:aws:iot:r:a:client/x","*"]})"));
  CHECK(everything(
      R"({"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:r:a:client/x"},)" + all));
  CHECK_FALSE(everything(all + ',' + deny));
  CHECK_FALSE(PolicySet::compile({source(all), source(deny)}).allows_everything("iot"));
  CHECK_FALSE(everything(R"({"Effect":"Allow","Action":"iot:P*","Resource":"*"})"));
  CHECK_FALSE(everything(R"({"Effect":"Allow","Action":"iot:*","Resource":"arn:*"})"));
  CHECK_FALSE(everything(R"({"Effect":"Allow","Action":"iot:*","Resource":"*",
                             "Condition":{"Bool":{"aws:SecureTransport":true}}})"));
  CHECK_FALSE(PolicySet().allows_everything("iot"));
  CHECK_FALSE(PolicySet::compile({source(all)}).allows_everything("io"));
}

TEST_CASE("an explanation as text") {
  Variables variables;
  variables.set("iot:ClientId", "a\n#");
  const PolicySet set =
      PolicySet::compile({source(R"({"Sid":"Own","Effect":"Allow","Action":"iot:Publish",
                  "Resource":"arn:aws:iot:*:*:topic/${iot:ClientId}"},
                 {"Effect":"Allow","Action":"iot:Connect","Resource":"*"})")},
                         std::make_shared<const Variables>(std::move(variables)));
  const Groups groups{.identity = &set};
  const Explanation refused =
      explain(groups, {.action = "iot:Publish", .resource = "arn:aws:iot:r:a:topic/x"});
  REQUIRE(refused.statements.size() == 2);
  CHECK(refused.statements[0].miss == Miss::variable);
  CHECK(refused.statements[1].miss == Miss::action);
  CHECK(to_text(refused) ==
        "\"iot:Publish\" on \"arn:aws:iot:r:a:topic/x\": IMPLICIT_DENY\n"
        "  no statement allows it\n"
        "identity, statement 1 \"Own\" of policy \"dev:1\" (certificate 6fa4), Allow: "
        "${iot:ClientId} is \"a\\n#\", which holds one of * $ + ? #: it is not put in\n"
        "  ${iot:ClientId}: \"a\\n#\"\n"
        "identity, statement 2 of policy \"dev:1\" (certificate 6fa4), Allow: "
        "the action is none of Action \"iot:Connect\"\n");
  CHECK(explain(groups, {.action = "iot:Connect", .resource = "*"}).why ==
        "allowed by statement 2 of policy \"dev:1\" (certificate 6fa4)");
}

}  // namespace
}  // namespace gnomon::policy
