// Who is let in by the registry, and by which policies.
#include "identity/devices.h"

#include <algorithm>
#include <set>

#include "identity/first_start.h"
#include "registry/attachments.h"
#include "registry/authorities.h"
#include "registry/folder.h"
#include "registry/policies.h"
#include "registry/principals.h"
#include "registry/registry_fixture.h"
#include "registry/thing_groups.h"
#include "registry/things.h"
#include "store/lossy.h"

namespace gnomon::identity {
namespace {

using registry::CertificateStatus;

struct World : registry::Fixture {
  World() { REQUIRE(make_policies(registry).ok()); }

  ManualClock monotonic;
  std::set<std::string> left;
  std::vector<Change> changes;
  Devices devices{{registry,
                   monotonic,
                   clock,
                   {[this](const std::string& id) { return left.contains(id); },
                    [this](const std::string& id) { left.erase(id); }},
                   [this](Change change) { changes.push_back(std::move(change)); }}};
  crypto::PrivateKey key = crypto::PrivateKey::generate_ec_p256();

  crypto::Certificate issue(const crypto::Authority& by,
                            crypto::Profile profile = crypto::Profile::device) {
    auto made = crypto::issue(
        {profile, "lamp", {}, clock.now(), WallTime{clock.now().ms + std::int64_t{86'400'000}}},
        key.public_key(), by, random);
    REQUIRE_MESSAGE(made, made.error().message);
    return *made;
  }
  std::string arn(const crypto::Certificate& of) {
    return registry::arn(registry, "cert/" + of.id());
  }
  // One that is registered, with a policy of these statements.
  crypto::Certificate device(const std::string& statements,
                             CertificateStatus status = CertificateStatus::active) {
    const auto made = issue(devices_authority());
    REQUIRE(register_issued(registry, made, status).ok());
    policy("own", statements);
    REQUIRE(attach_policy(registry, "own", arn(made)).ok());
    return made;
  }
  void policy(const std::string& name, const std::string& statements) {
    const auto made = create_policy(
        registry, {name, R"({"Version":"2012-10-17","Statement":[)" + statements + "]}", {}});
    REQUIRE_MESSAGE(made.ok(), made.error().message);
  }
  static const crypto::Authority& devices_authority() { return Fixture::devices(); }

  Outcome admit(const crypto::Certificate& certificate, const Arrival& arrival = {"lamp"}) {
    const std::vector own{devices_authority().certificate};
    return devices.admit(certificate, own, arrival);
  }
  // "" if it may connect, else why not.
  std::string say(const Outcome& outcome, const Arrival& arrival = {"lamp"}) {
    if (const auto* denial = std::get_if<Denial>(&outcome)) return denial->why;
    const auto denial = devices.connect(std::get<Admission>(outcome), arrival);
    return denial ? denial->why : "";
  }
  void finish() {
    for (Change& change : std::exchange(changes, {})) {
      if (change.then) change.then();
    }
  }
};

constexpr const char* everything = R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})";

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a certificate is let in if it is registered, active and holds now") {
  World world;
  const auto lamp = world.device(everything);
  const auto admitted = world.admit(lamp);
  REQUIRE(std::holds_alternative<Admission>(admitted));
  CHECK(std::get<Admission>(admitted).principal == lamp.id());
  CHECK(std::get<Admission>(admitted).policies == nullptr);
  CHECK(std::get<Admission>(admitted).not_after == lamp.not_after());
  CHECK(world.say(admitted).empty());
  for (const auto status : {CertificateStatus::inactive, CertificateStatus::revoked}) {
    REQUIRE(update_certificate(world.registry, lamp.id(), status).ok());
    CHECK(world.say(world.admit(lamp)) ==
          "the certificate " + lamp.id() + " is " + std::string(registry::to_string(status)));
  }
  REQUIRE(update_certificate(world.registry, lamp.id(), CertificateStatus::active).ok());
  world.clock.advance(std::chrono::hours(25));
  CHECK(contains(world.say(world.admit(lamp)), "expired on"));
  world.clock.advance(-std::chrono::hours(26));
  CHECK(contains(world.say(world.admit(lamp)), "valid only from"));

  const auto foreign = world.issue(World::authority("others", world.random));
  world.clock.advance(std::chrono::hours(1));
  CHECK(world.say(world.admit(foreign)) ==
        "the certificate " + foreign.id() + " is not registered");
  // Nor is one of the own authority, if nobody has left it.
  CHECK(contains(world.say(world.admit(world.issue(World::devices_authority()))),
                 "is not registered"));
  CHECK(world.changes.empty());
}

TEST_CASE("one that is left is registered once, with the policy of devices") {
  World world;
  const auto lamp = world.issue(World::devices_authority());
  world.left.insert(lamp.id());
  CHECK(world.say(world.admit(lamp)).empty());
  CHECK(world.left.size() == 1);  // until it is durable
  CHECK(world.say(world.admit(lamp)).empty());
  world.finish();
  CHECK(world.left.empty());
  const auto described = describe_certificate(world.registry, lamp.id());
  REQUIRE(described.ok());
  CHECK(described->status == CertificateStatus::active);
  CHECK(described->certificate_mode == registry::CertificateMode::standard);
  const auto policies = list_attached_policies(world.registry, world.arn(lamp), false, {});
  REQUIRE(policies->items.size() == 1);
  CHECK(policies->items[0].policy_name == devices_policy);

  // What is detached or deleted stays so.
  REQUIRE(detach_policy(world.registry, devices_policy, world.arn(lamp)).ok());
  CHECK(contains(world.say(world.admit(lamp)), "do not allow iot:Connect"));
  REQUIRE(update_certificate(world.registry, lamp.id(), CertificateStatus::inactive).ok());
  REQUIRE(delete_certificate(world.registry, lamp.id(), false).ok());
  CHECK(contains(world.say(world.admit(lamp)), "is not registered"));
}

TEST_CASE("one whose file cannot be removed is registered once all the same") {
  World world;
  const auto lamp = world.issue(World::devices_authority());
  world.left.insert(lamp.id());
  CHECK(world.say(world.admit(lamp)).empty());
  REQUIRE(detach_policy(world.registry, devices_policy, world.arn(lamp)).ok());
  CHECK(contains(world.say(world.admit(lamp)), "do not allow iot:Connect"));
  world.devices.settle(lamp.id());  // the next start
  CHECK(contains(world.say(world.admit(lamp)), "do not allow iot:Connect"));
  REQUIRE(update_certificate(world.registry, lamp.id(), CertificateStatus::inactive).ok());
  REQUIRE(delete_certificate(world.registry, lamp.id(), false).ok());
  CHECK(contains(world.say(world.admit(lamp)), "is not registered any more"));
  world.changes.clear();
  world.devices.settle(lamp.id());
  CHECK(world.changes.size() == 1);  // it is tried again
  world.finish();
  CHECK(world.left.empty());
  CHECK(contains(world.say(world.admit(lamp)), "is not registered"));
}

TEST_CASE("one that is left and should not be is not registered") {
  World world;
  const auto other = World::authority("others", world.random);
  for (const auto& wrong : {world.issue(other), other.certificate}) {
    world.left.insert(wrong.id());
    CHECK(world.say(world.admit(wrong)) != "");
    CHECK(!*status_of(world.registry, wrong.id()));
  }
}

TEST_CASE("without the policy of devices a device is registered and may nothing") {
  World world;
  REQUIRE(delete_policy(world.registry, devices_policy).ok());
  const auto lamp = world.issue(World::devices_authority());
  world.left.insert(lamp.id());
  CHECK(contains(world.say(world.admit(lamp)), "do not allow iot:Connect"));
  world.finish();
  CHECK(world.left.empty());
}

TEST_CASE("a server that ended in between is made good") {
  World world;
  const auto lamp = world.issue(World::devices_authority());
  world.left = {lamp.id(), "another"};
  CHECK(world.say(world.admit(lamp)).empty());
  world.changes.clear();
  world.devices.settle("another");
  world.devices.settle(lamp.id());
  world.finish();
  CHECK(world.left == std::set<std::string>{"another"});
  CHECK(world.say(world.admit(lamp)).empty());
}

TEST_CASE("just-in-time registration: pending, and told each time") {
  World world;
  const auto ca = World::authority("factory", world.random);
  const auto lamp = world.issue(ca);
  const auto code = get_registration_code(world.registry);
  REQUIRE(code.ok());
  const auto verification =
      crypto::issue({crypto::Profile::device, code->value, {}, world.clock.now(), lamp.not_after()},
                    world.key.public_key(), ca, world.random);
  registry::RegisterCaCertificate request;
  request.ca_certificate = ca.certificate.to_pem();
  request.verification_certificate = verification->to_pem();
  request.set_as_active = true;
  const auto registered = register_ca_certificate(world.registry, request);
  REQUIRE_MESSAGE(registered.ok(), registered.error().message);
  CHECK(contains(world.say(world.admit(lamp)), "its CA does not do so by itself"));
  CHECK(!*status_of(world.registry, lamp.id()));

  registry::UpdateCaCertificate update;
  update.certificate_id = ca.certificate.id();
  update.auto_registration = true;
  REQUIRE(update_ca_certificate(world.registry, update).ok());
  for (int i = 0; i < 3; ++i) {
    CHECK(contains(world.say(world.admit(lamp)), "is PENDING_ACTIVATION"));
    REQUIRE(world.changes.size() == 1);
    const Change change = std::move(world.changes.back());
    world.changes.clear();
    CHECK((change.sequence > 0) == (i == 0));
    REQUIRE(change.effects.events.size() == 1);
    const registry::Event& event = change.effects.events[0];
    CHECK(event.topic == "$aws/events/certificates/registered/" + ca.certificate.id());
    const std::string now = std::to_string(world.clock.now().ms);
    CHECK(event.payload == R"({"certificateId":")" + lamp.id() + R"(","caCertificateId":")" +
                               ca.certificate.id() + R"(","timestamp":)" + now +
                               R"(,"certificateStatus":"PENDING_ACTIVATION",)"
                               R"("awsAccountId":"123456789012",)"
                               R"("certificateRegistrationTimestamp":")" +
                               now + "\"}");
  }
  REQUIRE(update_certificate(world.registry, lamp.id(), CertificateStatus::active).ok());
  world.policy("all", everything);
  REQUIRE(attach_policy(world.registry, "all", world.arn(lamp)).ok());
  CHECK(world.say(world.admit(lamp)).empty());
  CHECK(world.changes.empty());
}

TEST_CASE("a certificate that is for servers is no device's, registered or not") {
  World world;
  const auto authority = World::authority("others", world.random);
  auto servers = crypto::self_sign({crypto::Profile::root,
                                    "root",
                                    {},
                                    world.clock.now(),
                                    WallTime{world.clock.now().ms + std::int64_t{864'000'000}}},
                                   authority.key, world.random);
  REQUIRE(servers);
  const crypto::Authority root{*servers, authority.key};
  const auto made = crypto::issue({crypto::Profile::server,
                                   "localhost",
                                   {"localhost"},
                                   world.clock.now(),
                                   WallTime{world.clock.now().ms + std::int64_t{86'400'000}}},
                                  world.key.public_key(), root, world.random);
  REQUIRE_MESSAGE(made, made.error().message);
  REQUIRE(register_issued(world.registry, *made, CertificateStatus::active).ok());
  world.policy("all", everything);
  REQUIRE(attach_policy(world.registry, "all", world.arn(*made)).ok());
  CHECK(contains(world.say(world.admit(*made)), "is not for TLS clients"));
}

TEST_CASE("what a policy asks of a CONNECT, and the decision that explains it") {
  World world;
  const auto lamp = world.device(
      R"({"Effect":"Allow","Action":"iot:Connect",
          "Resource":
            "arn:aws:iot:us-east-1:123456789012:client/${iot:Certificate.Subject.CommonName}",
          "Condition":{"ForAllValues:StringEquals":{"iot:ConnectAttributes":["LastWill"]},
                       "IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
         {"Effect":"Allow","Action":"iot:Connect","Resource":"*",
          "Condition":{"StringEquals":{"iot:DomainName":"iot.example.com"}}})");
  const auto ask = [&](const Arrival& arrival) {
    return world.say(world.admit(lamp, arrival), arrival);
  };
  CHECK(ask({"lamp", "192.0.2.7", "", false, false}).empty());
  CHECK(ask({"lamp", "192.0.2.7", "", false, true}).empty());
  CHECK(ask({"other", "198.51.100.1", "iot.example.com", true, true}).empty());
  CHECK(ask({"other", "192.0.2.7", "", false, false}) != "");
  CHECK(ask({"lamp", "192.0.2.7", "", true, true}) != "");
  const std::string why = ask({"lamp", "198.51.100.1", "", false, false});
  const auto at = why.find("(decision ");
  REQUIRE(at != std::string::npos);
  const auto decision = world.devices.decisions().find(why.substr(at + 10, 12));
  REQUIRE(decision);
  CHECK(decision->principal == lamp.id());
  CHECK(decision->client_id == "lamp");
  CHECK(decision->explanation.action == "iot:Connect");
  CHECK(decision->explanation.resource == "arn:aws:iot:us-east-1:123456789012:client/lamp");
  CHECK(decision->explanation.verdict == policy::Verdict::implicit_deny);
  CHECK(contains(policy::to_text(decision->explanation), "aws:SourceIp"));
  CHECK(decision->left_out == 0);
  CHECK(!world.devices.decisions().find("none"));
}

TEST_CASE("a thing: its variables, and the policies of its groups if it is attached") {
  World world;
  const auto lamp = world.device(
      R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*",
          "Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}},
         {"Effect":"Allow","Action":"iot:Publish","Resource":
          "arn:aws:iot:us-east-1:123456789012:topic/${iot:Connection.Thing.ThingName}/)"
      R"(${iot:Connection.Thing.Attributes[room]}"})");
  registry::CreateThing thing;
  thing.thing_name = "lamp-1";
  thing.attribute_payload = registry::AttributePayload{{{"room", "hall"}}, false};
  REQUIRE(create_thing(world.registry, thing).ok());
  const auto may_publish = [&](const Arrival& arrival, const std::string& topic) {
    const auto outcome = world.admit(lamp, arrival);
    const auto& policies = std::get<Admission>(outcome).policies;
    const std::string resource = "arn:aws:iot:us-east-1:123456789012:topic/" + topic;
    return policies->check({"iot:Publish", resource, {}, {}, {}}) == policy::Verdict::allowed;
  };
  const Arrival named{"lamp-1"}, unnamed{"another"};
  CHECK(world.say(world.admit(lamp, named), named) != "");
  CHECK_FALSE(
      may_publish(named, "lamp-1/hall"));  // it is not attached: the name alone gives nothing
  const auto attach = [&](registry::ThingPrincipalType type) {
    REQUIRE(attach_thing_principal(world.registry, {"lamp-1", world.arn(lamp), type}).ok());
  };
  attach(registry::ThingPrincipalType::non_exclusive_thing);
  CHECK(world.say(world.admit(lamp, named), named).empty());
  CHECK(may_publish(named, "lamp-1/hall"));
  CHECK_FALSE(may_publish(named, "lamp-1/cellar"));
  CHECK(world.say(world.admit(lamp, unnamed), unnamed) != "");
  CHECK_FALSE(may_publish(unnamed, "lamp-1/hall"));
  // Attached to this thing and no other it is that thing by whatever client id.
  attach(registry::ThingPrincipalType::exclusive_thing);
  CHECK(world.say(world.admit(lamp, unnamed), unnamed).empty());
  CHECK(may_publish(unnamed, "lamp-1/hall"));
}

TEST_CASE("who needs no certificate has policies that can be seen and edited") {
  World world;
  const auto ask = [&](const std::string& principal) {
    return world.say(world.devices.admit(principal, {"lamp"}));
  };
  CHECK(ask("local").empty());
  CHECK(ask("user/anna").empty());
  CHECK(std::get<Admission>(world.devices.admit("local", {"x"})).anywhere);
  REQUIRE(detach_policy(world.registry, local_policy, "gnomon:local").ok());
  CHECK(ask("local") != "");
  CHECK(ask("user/anna").empty());
  world.policy("no", R"({"Effect":"Deny","Action":"iot:Connect","Resource":"*"})");
  REQUIRE(attach_policy(world.registry, "no", "gnomon:user/anna").ok());
  CHECK(ask("user/anna") != "");
  CHECK(ask("user/bert").empty());
  REQUIRE(detach_policy(world.registry, users_policy, "gnomon:users").ok());
  CHECK(ask("user/bert") != "");
  // The next start does not give back what was taken.
  REQUIRE(make_policies(world.registry).ok());
  CHECK(ask("local") != "");
  CHECK(ask("user/bert") != "");
}

TEST_CASE("a start that was interrupted is made good") {
  for (int failing = 0;; ++failing) {
    registry::Fixture one;
    one.store.fail_after(failing);
    const bool failed = !make_policies(one.registry).ok();
    if (one.store.relent()) break;  // it had nothing left to fail
    CHECK(failed);
    REQUIRE(make_policies(one.registry).ok());
    const auto targets = list_targets_for_policy(one.registry, local_policy, false, {});
    CHECK(targets->items == std::vector<std::string>{"gnomon:local"});
    CHECK(get_policy(one.registry, devices_policy).ok());
  }
}

TEST_CASE("the policies are made on a disk that is full, too") {
  store::LossyStore full;
  full.set_accepting(false);
  ManualWallClock clock;
  SeededRandom random{1};
  REQUIRE(registry::stamp(full, "123456789012", "us-east-1").ok());
  registry::Registry registry{full,           clock,      random, registry::Fixture::devices(),
                              "123456789012", "us-east-1"};
  REQUIRE(make_policies(registry).ok());
  CHECK(get_policy(registry, local_policy).ok());
}

TEST_CASE("a store that cannot be read lets nobody in, and says so") {
  World world;
  const auto lamp = world.device(everything);
  for (int failing = 0;; ++failing) {
    world.store.fail_after(failing);
    const auto outcome = world.admit(lamp);
    if (world.store.relent()) break;
    REQUIRE(std::holds_alternative<Denial>(outcome));
    CHECK(std::get<Denial>(outcome).trouble);
  }
}

}  // namespace
}  // namespace gnomon::identity
