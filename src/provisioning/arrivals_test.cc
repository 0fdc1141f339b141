// A certificate that arrives is registered and provisioned at once, through identity's Devices.
#include "provisioning/arrivals.h"

#include <set>

#include "identity/devices.h"
#include "identity/first_start.h"
#include "provisioning/provisioning_fixture.h"
#include "provisioning/templates.h"
#include "registry/steps.h"

namespace gnomon::provisioning {
namespace {

using registry::CertificateStatus;

std::string jitp_body(const std::string& name = "AWS::IoT::Certificate::CommonName") {
  std::string body = Fixture::template_body();
  for (const std::string& what : {std::string("\"Name\":{"), std::string("\"Ref\":\"Name\"")}) {
    const auto at = body.find(what);
    REQUIRE(at != std::string::npos);
    body.replace(body.find("Name", at), 4, name);
  }
  return body;
}

struct World : Fixture {
  crypto::Authority ca = authority("factory", random);
  ManualClock monotonic;
  std::vector<identity::Change> changes;
  identity::Devices devices{
      {registry,
       monotonic,
       clock,
       {[](const std::string&) { return false; }, [](const std::string&) {}},
       [this](identity::Change change) { changes.push_back(std::move(change)); },
       [this](const crypto::Certificate& certificate,
              const registry::CaCertificateDescription& by) {
         return provision_arrival(provisioning, certificate, by);
       }}};

  explicit World(const std::string& body) {
    registry::RegisterCaCertificate request;
    request.ca_certificate = ca.certificate.to_pem();
    request.set_as_active = request.allow_auto_registration = true;
    request.certificate_mode = registry::CertificateMode::sni_only;
    request.registration_config = {body, role, ""};
    const auto made = register_ca_certificate(registry, request);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
  }
  void configure(const registry::RegistrationConfig& config) {
    registry::UpdateCaCertificate request;
    request.certificate_id = ca.certificate.id();
    request.registration_config = config;
    REQUIRE(update_ca_certificate(registry, request).ok());
  }
  crypto::Certificate issue(const std::string& name) {
    const auto made =
        crypto::issue({crypto::Profile::device,
                       name,
                       {},
                       clock.now(),
                       WallTime{clock.now().ms + std::int64_t{86'400'000}}},
                      crypto::PrivateKey::generate_ec_p256().public_key(), ca, random);
    REQUIRE(made.ok());
    return *made;
  }
  // "" if it is let in, else why not.
  std::string admit(const crypto::Certificate& certificate) {
    const auto outcome = devices.admit(certificate, {}, {"lamp"});
    const auto* denial = std::get_if<identity::Denial>(&outcome);
    return denial == nullptr ? "" : denial->why;
  }
  bool admitted_at_second(const crypto::Certificate& certificate) {
    const std::string first = admit(certificate);
    CHECK_MESSAGE(first.ends_with("was provisioned just now: connect again"), first);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].sequence == store.applied());
    CHECK(changes[0].effects.principals == std::vector{certificate.id()});
    return admit(certificate).empty();
  }
};

TEST_CASE("the first connection provisions, the second is let in") {
  World world(jitp_body());
  const auto lamp = world.issue("lamp");
  CHECK(world.admitted_at_second(lamp));
  CHECK(world.missing("lamp", lamp.id()).empty());
  const auto described = describe_certificate(world.registry, lamp.id());
  CHECK(described->ca_certificate_id == world.ca.certificate.id());
}

TEST_CASE("by a template's name, if it is enabled and of type JITP") {
  World world(jitp_body());
  const auto make = [&](const std::string& name, bool enabled, TemplateType type) {
    REQUIRE(
        create_template(world.provisioning, {name, "", jitp_body(), role, enabled, {}, type, {}})
            .ok());
  };
  make("good", true, TemplateType::jitp);
  make("off", false, TemplateType::jitp);
  make("fleet", true, TemplateType::fleet_provisioning);
  for (const char* name : {"off", "fleet", "none"}) {
    CAPTURE(name);
    world.configure({"", "", name});
    const auto lamp = world.issue("lamp");
    CHECK(world.admit(lamp).ends_with("is PENDING_ACTIVATION"));
    CHECK(*status_of(world.registry, lamp.id()) == CertificateStatus::pending_activation);
  }
  world.changes.clear();
  world.configure({"", "", "good"});
  const auto lamp = world.issue("lamp");
  CHECK(world.admitted_at_second(lamp));
}

TEST_CASE("what cannot be provisioned waits, and is tried again at the next connection") {
  World world(jitp_body("AWS::IoT::Certificate::Country"));
  const auto lamp = world.issue("lamp");
  for (int i = 0; i < 2; ++i) {
    CHECK(world.admit(lamp).ends_with("is PENDING_ACTIVATION"));
    REQUIRE(world.changes.size() == 1);
    CHECK(world.changes[0].effects.events[0].topic ==
          "$aws/events/certificates/registered/" + world.ca.certificate.id());
    world.changes.clear();
  }
  CHECK_FALSE(describe_thing(world.registry, "lamp").ok());
  world.configure({jitp_body(), role, ""});
  CHECK(world.admitted_at_second(lamp));
  CHECK(world.missing("lamp", lamp.id()).empty());
}

TEST_CASE("a certificate that was revoked is not provisioned, nor one of an inactive CA") {
  World world(jitp_body());
  const auto lamp = world.issue("lamp");
  REQUIRE(register_arrival(world.registry, lamp, world.ca.certificate.id()).ok());
  REQUIRE(update_certificate(world.registry, lamp.id(), CertificateStatus::revoked).ok());
  CHECK(world.admit(lamp).ends_with("is REVOKED"));
  const auto ca = describe_ca_certificate(world.registry, world.ca.certificate.id());
  CHECK(provision_arrival(world.provisioning, lamp, *ca).error().kind ==
        registry::Kind::certificate_state);

  const auto pending = world.issue("pending");
  REQUIRE(register_arrival(world.registry, pending, world.ca.certificate.id()).ok());
  registry::UpdateCaCertificate update;
  update.certificate_id = world.ca.certificate.id();
  update.active = false;
  REQUIRE(update_ca_certificate(world.registry, update).ok());
  for (const auto& certificate : {pending, world.issue("new")}) {
    CHECK_FALSE(world.admit(certificate).empty());
    CHECK_FALSE(describe_thing(world.registry, "pending").ok());
    CHECK_FALSE(describe_thing(world.registry, "new").ok());
  }
}

TEST_CASE("whichever call the store refuses, an arrival is not half provisioned") {
  World world(jitp_body());
  const auto lamp = world.issue("lamp");
  const auto ca = describe_ca_certificate(world.registry, world.ca.certificate.id());
  const auto before = world.content();
  for (int call = 0; call < 1'000; ++call) {
    world.store.fail_after(call);
    const auto done = provision_arrival(world.provisioning, lamp, *ca);
    world.store.relent();
    if (done) break;
    CHECK(world.content() == before);
  }
  CHECK(world.missing("lamp", lamp.id()).empty());
}

TEST_CASE("what is done is the role's, all of it or nothing") {
  World world(jitp_body());
  const auto lamp = world.issue("lamp");
  std::vector<std::string> asked;
  world.roles.permit = [&](std::string_view action, std::string_view resource) {
    asked.push_back(std::string(action) + ' ' + std::string(resource));
    return true;
  };
  CHECK(world.admitted_at_second(lamp));
  CHECK(world.roles.taken ==
        std::string(role) + ' ' + arn(world.registry, "cacert/" + world.ca.certificate.id()));
  const std::string certificate = world.certificate_arn(lamp.id());
  const std::string thing = arn(world.registry, "thing/lamp");
  CHECK(asked == std::vector<std::string>{
                     "iot:UpdateCertificate " + certificate, "iot:CreateThing " + thing,
                     "iot:UpdateThing " + thing,
                     "iot:CreateThing " + arn(world.registry, "billinggroup/paid"),
                     "iot:AddThingToThingGroup " + thing,
                     "iot:AddThingToThingGroup " + arn(world.registry, "thinggroup/attic"),
                     "iot:AttachThingPrincipal " + certificate, "iot:AttachPolicy " + certificate});

  // Without any one of them nothing is provisioned, nor without the role.
  for (const std::string& without : asked) {
    CAPTURE(without);
    World bounded(jitp_body());
    const auto other = bounded.issue("lamp");
    bounded.roles.permit = [&](std::string_view action, std::string_view resource) {
      const std::string need = std::string(action) + ' ' + std::string(resource);
      return need.substr(0, need.rfind('/')) != without.substr(0, without.rfind('/'));
    };
    for (int times = 0; times < 2; ++times)
      CHECK(bounded.admit(other).ends_with("is PENDING_ACTIVATION"));
    CHECK(bounded.missing("lamp", other.id()) == "thing");
  }
  World refused(jitp_body());
  refused.roles.permit = nullptr;
  CHECK(refused.admit(refused.issue("lamp")).ends_with("is PENDING_ACTIVATION"));
}

}  // namespace
}  // namespace gnomon::provisioning
