// A template is applied whole or not at all, and does with what is there as it says.
#include "provisioning/register_thing.h"

#include "provisioning/provisioning_fixture.h"

namespace gnomon::provisioning {
namespace {

using registry::CertificateStatus;
using registry::Kind;

struct World : Fixture {
  std::string id = certificate(CertificateStatus::pending_activation);

  registry::Written<RegisteredThing> register_by(const std::string& body,
                                                 const Parameters& parameters) {
    const auto plan = plan_of(provisioning, body, parameters);
    if (!plan) return plan.error();
    return register_thing(provisioning, *plan);
  }
  auto run(const std::string& body, const std::string& name = "lamp") {
    return register_by(body, {{"Name", name}, {certificate_id_parameter, id}});
  }
  std::string refused(const std::string& body) {
    const auto before = content();
    const auto done = run(body);
    if (done) return "";
    CHECK(content() == before);
    return std::string(to_string(done.error().kind)) + ' ' + done.error().message;
  }
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

TEST_CASE("a thing with its type, groups, certificate and policy") {
  World world;
  const auto done = world.run(World::template_body());
  REQUIRE_MESSAGE(done.ok(), done.error().message);
  CHECK(world.missing("lamp", world.id).empty());
  CHECK(done->value.thing_name == "lamp");
  CHECK(done->value.certificate_pem ==
        describe_certificate(world.registry, world.id)->certificate_pem);
  CHECK(done->value.resource_arns ==
        std::map<std::string, std::string>{{"lamp", arn(world.registry, "thing/lamp")},
                                           {"key", world.certificate_arn(world.id)},
                                           {"right", arn(world.registry, "policy/may")}});
  CHECK(done->sequence == world.store.applied());
  CHECK(done->effects.principals == std::vector{world.id});
  // Again it is as it was.
  const auto before = world.content();
  REQUIRE(world.run(World::template_body()).ok());
  CHECK(world.content() == before);
}

TEST_CASE("whichever call the store refuses, nothing is half written") {
  World world;
  const auto before = world.content();
  int failures = 0;
  for (int call = 0;; ++call) {
    world.store.fail_after(call);
    const auto done = world.run(World::template_body());
    world.store.relent();
    if (done) break;
    ++failures;
    CHECK(done.error().kind == Kind::service_unavailable);
    CHECK(world.content() == before);
    REQUIRE(call < 1'000);
  }
  CHECK(failures > 10);
  CHECK(world.missing("lamp", world.id).empty());
}

TEST_CASE("what is not there is named, and nothing is made") {
  World world;
  const std::string body = World::template_body();
  CHECK(world.refused(replaced(body, "bulb", "none")) ==
        "ResourceRegistrationFailureException Resources.lamp: Thing type none cannot be found.");
  CHECK(world.refused(replaced(body, "\"paid\"", "\"none\"")) ==
        "ResourceRegistrationFailureException Resources.lamp: Billing group none cannot be found.");
  CHECK(world.refused(replaced(body, "\"attic\"", "\"none\""))
            .starts_with("ResourceRegistrationFailureException Resources.lamp: "));
  CHECK(world.refused(replaced(body, "\"may\"", "\"none\"")) ==
        "ResourceRegistrationFailureException Resources.right: Policy not found (name=none)");
  CHECK(world.refused(replaced(body, R"("PolicyName":"may")", R"("PolicyDocument":"nonsense")"))
            .starts_with("ResourceRegistrationFailureException Resources.right: "));
  world.id = std::string(64, '0');
  CHECK(world.refused(body) ==
        "ResourceRegistrationFailureException Resources.key: The certificate " + world.id +
            " does not exist.");
  CHECK(world.refused("{}").starts_with("InvalidRequestException Resources: "));
  CHECK(world.register_by(body, {}).error().kind == Kind::invalid_request);
}

TEST_CASE("a thing that is there stays, becomes as the template says, or is refused") {
  World world;
  const auto there = [&] {
    REQUIRE(delete_thing(world.registry, "lamp").ok());
    REQUIRE(create_thing(world.registry, {"lamp", "tube", {{{{"b", "2"}}, false}}, ""}).ok());
    REQUIRE(add_thing_to_thing_group(world.registry, {"cellar", "", "lamp", ""}).ok());
  };
  const auto shown = [&] {
    const auto thing = describe_thing(world.registry, "lamp");
    std::string text = thing->thing_type_name;
    for (const auto& [name, value] : thing->attributes) text += ' ' + name + '=' + value;
    const auto groups = list_thing_groups_for_thing(world.registry, "lamp", {});
    for (const auto& group : groups->items) text += ' ' + group.group_name;
    return text;
  };
  const auto with = [&](const std::string& overrides) {
    there();
    const auto done = world.run(World::template_body(overrides));
    const std::string text = done ? shown() : std::string(to_string(done.error().kind));
    if (done)
      REQUIRE(detach_thing_principal(world.registry, "lamp", world.certificate_arn(world.id)).ok());
    return text;
  };
  CHECK(with("{}") == "tube b=2 cellar");
  CHECK(with(R"({"ThingTypeName":"DO_NOTHING"})") == "tube b=2 cellar");
  CHECK(with(R"({"ThingTypeName":"REPLACE"})") == "bulb b=2 cellar");
  CHECK(with(R"({"AttributePayload":"REPLACE"})") == "tube a=1 cellar");
  CHECK(with(R"({"AttributePayload":"MERGE"})") == "tube a=1 b=2 cellar");
  CHECK(with(R"({"ThingGroups":"REPLACE"})") == "tube b=2 attic");
  CHECK(with(R"({"ThingGroups":"MERGE"})") == "tube b=2 attic cellar");
  for (const char* setting : {"ThingTypeName", "AttributePayload", "ThingGroups"}) {
    CAPTURE(setting);
    CHECK(with(R"({")" + std::string(setting) + R"(":"FAIL"})") ==
          "ConflictingResourceUpdateException");
  }
  REQUIRE(delete_thing(world.registry, "lamp").ok());
  CHECK(world.run(World::template_body(R"({"ThingTypeName":"FAIL"})")).ok());
}

TEST_CASE("the status of a certificate that is there") {
  const auto with = [](CertificateStatus status, const std::string& setting) {
    World world;
    world.id = world.certificate(status);
    const auto done = world.run(
        replaced(World::template_body(), R"("Status":"ACTIVE"})",
                 R"("Status":"ACTIVE"},"OverrideSettings":{"Status":")" + setting + "\"}"));
    if (!done) return std::string(to_string(done.error().kind));
    return std::string(to_string(describe_certificate(world.registry, world.id)->status));
  };
  const std::string conflict = "ConflictingResourceUpdateException";
  CHECK(with(CertificateStatus::inactive, "DO_NOTHING") == "INACTIVE");
  CHECK(with(CertificateStatus::inactive, "REPLACE") == "ACTIVE");
  CHECK(with(CertificateStatus::inactive, "FAIL") == conflict);
  CHECK(with(CertificateStatus::active, "FAIL") == conflict);
  for (const char* setting : {"DO_NOTHING", "REPLACE", "FAIL"})
    CHECK(with(CertificateStatus::pending_activation, setting) == "ACTIVE");
}

TEST_CASE("certificates by a request, by themselves, and policies by a document") {
  World world;
  const std::string quoted = R"("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",)"
                             R"(\"Action\":\"iot:Connect\",\"Resource\":\"*\"}}")";
  const std::string body =
      R"({"Parameters":{"X":{"Type":"String"}},"Resources":{"c":{"Type":"AWS::IoT::Certificate",)"
      R"("Properties":{"CertificateSigningRequest":{"Ref":"X"},"Status":"INACTIVE"}},)"
      R"("p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":)" +
      quoted + "}}}}";
  const auto run = [&](const std::string& text, const std::string& x) {
    return world.register_by(text, {{"X", x}});
  };
  const auto request = crypto::write_request("lamp", crypto::PrivateKey::generate_ec_p256());
  for (int i = 0; i < 2; ++i) {  // the policy is made once
    const auto done = run(body, *request);
    REQUIRE_MESSAGE(done.ok(), done.error().message);
    const auto made = crypto::Certificate::from_pem(done->value.certificate_pem);
    REQUIRE(made.ok());
    CHECK(describe_certificate(world.registry, made->id())->status == CertificateStatus::inactive);
    const auto policies =
        list_attached_policies(world.registry, world.certificate_arn(made->id()), false, {});
    REQUIRE(policies->items.size() == 1);
    CHECK(policies->items[0].policy_name.size() == 64);
  }
  CHECK(run(body, "nonsense").error().kind == Kind::resource_registration_failure);
  CHECK(run(body, "").error().kind == Kind::invalid_request);
  // One of a CA that nobody has registered.
  const auto ca = World::authority("factory", world.random);
  const std::string by_pem = replaced(body, "CertificateSigningRequest", "CertificatePem");
  CHECK(run(by_pem, ca.certificate.to_pem()).error().kind == Kind::resource_registration_failure);
  CHECK(run(by_pem, "nonsense").error().kind == Kind::resource_registration_failure);
}

}  // namespace
}  // namespace gnomon::provisioning
