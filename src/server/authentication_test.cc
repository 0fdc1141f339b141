// Who is let in: certificates, passwords, loopback, and what is remembered of them.
#include "server/authentication.h"

#include <arpa/inet.h>
#include <set>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "crypto/issue.h"
#include "iam/sessions.h"
#include "identity/first_start.h"
#include "policy/document.h"
#include "registry/attachments.h"
#include "registry/certificates.h"
#include "registry/policies.h"
#include "store/memory.h"

namespace gnomon::server {
namespace {

using broker::Identity;
using broker::Refusal;
using broker::Verdict;
using mqtt::Reason;

// Runs its tasks when the test says so.
class HeldPool final : public runtime::Pool {
 public:
  void run(std::function<void()> task) override { tasks.push_back(std::move(task)); }
  void work() {
    for (auto& task : std::exchange(tasks, {})) task();
  }
  std::vector<std::function<void()>> tasks;
};

runtime::Peer peer_of(const std::string& address) {
  runtime::Peer peer;
  REQUIRE(inet_pton(AF_INET6, ("::ffff:" + address).c_str(), peer.ip) == 1);
  return peer;
}

struct World {
  explicit World(bool policies = true) {
    if (policies) REQUIRE(identity::make_policies(registry).ok());
  }

  ManualClock clock;
  ManualWallClock wall;
  HeldPool lookups, passwords;
  SeededRandom random{5};
  std::unique_ptr<store::Store> store = store::make_memory_store();
  crypto::PrivateKey key = crypto::PrivateKey::generate_ec_p256();
  crypto::Authority authority = make_authority();
  registry::Registry registry{*store, wall, random, authority, "123456789012", "us-east-1"};
  std::set<std::string> left;
  std::function<void()> on_look;  // in the middle of a look-up
  identity::Devices devices{{registry,
                             clock,
                             wall,
                             {[this](const std::string& id) {
                                if (on_look) std::exchange(on_look, nullptr)();
                                return left.contains(id);
                              },
                              [this](const std::string& id) { left.erase(id); }},
                             [](const identity::Change& change) {
                               if (change.then) change.then();
                             }}};
  crypto::Sealer sealer{crypto::MasterKey{1}};
  iam::Iam iam{*store, wall,           random,
               sealer, "123456789012", {"AKIAROOTROOTROOTROOT", "root secret"}};
  Authentication authentication{
      {wall, lookups, passwords, random, devices, iam, "arn:aws:iot:us-east-1:123456789012:"}};

  crypto::Authority make_authority() {
    crypto::PrivateKey own = crypto::PrivateKey::generate_ec_p256();
    auto certificate = crypto::self_sign(
        {crypto::Profile::device_ca, "devices", {}, WallTime{1'577'836'800'000}, crypto::far_end},
        own, random);
    REQUIRE(certificate);
    return {*certificate, own};
  }
  // A device's, for `days` from now on; "" as long as its authority.
  crypto::Certificate certificate(const crypto::Authority& by, int days) {
    auto made = crypto::issue({crypto::Profile::device,
                               "lamp",
                               {},
                               wall.now(),
                               WallTime{wall.now().ms + std::int64_t{days} * 86'400'000}},
                              key.public_key(), by, random);
    REQUIRE_MESSAGE(made, made.error().message);
    return *made;
  }
  // One that is registered, with the policy that allows everything.
  crypto::Certificate device(int days) {
    const auto made = certificate(authority, days);
    REQUIRE(register_issued(registry, made, registry::CertificateStatus::active).ok());
    REQUIRE(attach_policy(registry, identity::devices_policy, arn(made)).ok());
    return made;
  }
  std::string arn(const crypto::Certificate& of) {
    return registry::arn(registry, "cert/" + of.id());
  }
  void set(const crypto::Certificate& of, registry::CertificateStatus status) {
    const auto done = update_certificate(registry, of.id(), status);
    REQUIRE(done.ok());
    authentication.forget({done->effects.principals, done->effects.everyone});
  }
  broker::Principals use(bool local, std::optional<Users> users = std::nullopt) {
    return authentication.use({local, {authority.certificate}, std::move(users)});
  }

  struct Who {
    std::string address = "192.0.2.1";
    std::string certificate{};  // DER
    bool encrypted = false;
    std::optional<std::string_view> user{}, password{};
    std::uint64_t basis = 0;
  };
  std::optional<Verdict> ask(std::string address, std::string certificate = "",
                             bool encrypted = false,
                             std::optional<std::string_view> user = std::nullopt,
                             std::optional<std::string_view> password = std::nullopt) {
    return ask(Who{std::move(address), std::move(certificate), encrypted, user, password});
  }
  // What it says, after it has looked at the registry; nothing: a password is to be checked, and
  // `late` gets it.
  std::optional<Verdict> ask(const Who& who, std::optional<std::string> renew = std::nullopt) {
    const std::size_t before = late.size();
    auto verdict = begin(who, std::move(renew));
    if (verdict || lookups.tasks.empty()) return verdict;
    lookups.work();
    REQUIRE(late.size() == before + 1);
    verdict = std::move(late.back());
    late.pop_back();
    return verdict;
  }
  std::optional<Verdict> again(std::string address, std::string principal,
                               std::uint64_t basis = 0) {
    return ask({std::move(address), "", false, {}, {}, basis}, std::move(principal));
  }
  std::optional<Verdict> begin(const Who& who, std::optional<std::string> renew = std::nullopt) {
    const runtime::Peer peer = peer_of(who.address);
    runtime::Security security;
    security.certificate = who.certificate;
    const bool shown = who.encrypted || !who.certificate.empty();
    std::optional<ByteView> password;
    if (who.password) password = as_bytes(*who.password);
    broker::Credentials credentials{peer, shown ? &security : nullptr, "client", who.user,
                                    password};
    credentials.basis = who.basis;
    const auto later = [this](Verdict verdict) { late.push_back(std::move(verdict)); };
    return renew ? authentication.renew(credentials, *renew, later)
                 : authentication.authenticate(credentials, later);
  }
  std::vector<Verdict> late;
};

// The principal, or the refusal's reason.
std::string said(const std::optional<Verdict>& verdict) {
  if (!verdict) return "later";
  if (const auto* identity = std::get_if<Identity>(&*verdict)) return identity->principal;
  return std::string(mqtt::describe(std::get<Refusal>(*verdict).reason));
}
Users users(std::string_view password = "right") {
  SeededRandom random{9};
  Users all;
  all.emplace("anna", crypto::PasswordHash::make(password, random, 1000));
  return all;
}

TEST_CASE("this machine is `local` if it may be; others are nobody") {
  World world;
  CHECK(said(world.ask("127.0.0.1")) == "not authorized");  // nothing is known yet
  world.use(true);
  CHECK(said(world.ask("127.0.0.1")) == "local");
  CHECK(said(world.ask("127.9.9.9")) == "local");
  CHECK(said(world.ask("192.0.2.1")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", "", true)) == "not authorized");
  // Without a password file a name means nothing.
  CHECK(said(world.ask("127.0.0.1", "", false, "anna", "x")) == "local");
  world.use(false);
  CHECK(said(world.ask("127.0.0.1")) == "not authorized");
}

TEST_CASE("a certificate that is registered is an identity, others are not") {
  World world;
  world.use(true, users());
  const auto good = world.device(30);
  CHECK(said(world.ask("192.0.2.1", good.der())) == good.id());
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == good.id());  // without a look
  const auto foreign = world.certificate(world.make_authority(), 30);
  // Not even on this machine, or with a password.
  CHECK(said(world.ask("127.0.0.1", foreign.der())) == "not authorized");
  CHECK(said(world.ask("127.0.0.1", foreign.der(), true, "anna", "right")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", "no certificate")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", world.authority.certificate.der())) == "not authorized");
  CHECK(world.passwords.tasks.empty());
}

TEST_CASE("one that is left is registered by the authority that is known then") {
  World world;
  const auto made = world.certificate(world.authority, 30);
  world.left.insert(made.id());
  world.authentication.use({false, {world.make_authority().certificate}, std::nullopt});
  CHECK(said(world.ask("192.0.2.1", made.der())) == "not authorized");
  world.use(false);
  CHECK(said(world.ask("192.0.2.1", made.der())) == made.id());
  CHECK(world.left.empty());
}

TEST_CASE("one that was remembered expires all the same, and is nobody once it is not active") {
  World world;
  world.use(false);
  const auto good = world.device(1);
  const auto let_in = world.ask("192.0.2.1", good.der());
  CHECK(said(let_in) == good.id());
  CHECK(std::get<Identity>(*let_in).until == good.not_after());
  world.wall.advance(std::chrono::hours(24) + std::chrono::seconds(1));
  const auto over = world.ask({"192.0.2.1", good.der()}, good.id());
  CHECK(said(over) == "not authorized");
  CHECK(std::get<Refusal>(*over).permissions == nullptr);  // it may do until its end what it might
  CHECK(std::get<Refusal>(*over).expired);
  world.wall.advance(-std::chrono::hours(24) - std::chrono::seconds(2));
  CHECK(said(world.ask("192.0.2.1", good.der())) == "not authorized");
  world.wall.advance(std::chrono::seconds(1));
  CHECK(said(world.ask("192.0.2.1", good.der())) == good.id());
  for (const auto status :
       {registry::CertificateStatus::inactive, registry::CertificateStatus::revoked}) {
    world.set(good, status);
    CHECK(said(world.ask("192.0.2.1", good.der())) == "not authorized");
    const auto refused = world.ask({"192.0.2.1", good.der()}, good.id());
    CHECK(said(refused) == "not authorized");
    CHECK_FALSE(std::get<Refusal>(*refused).permissions->may_publish("will", false));
    world.set(good, registry::CertificateStatus::active);
    CHECK(said(world.ask({"192.0.2.1", good.der()}, good.id())) == good.id());
  }
}

TEST_CASE("what was found out before it was forgotten is not remembered") {
  World world;
  world.use(false);
  const auto good = world.device(1);
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == "later");
  world.on_look = [&] { world.authentication.forget({{good.id()}, false}); };
  world.lookups.work();
  CHECK(said(world.late.back()) == good.id());
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == "later");
  world.lookups.work();
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == good.id());
  world.authentication.forget({{"another"}, false});
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == good.id());
  CHECK(said(world.begin({"192.0.2.2", good.der()})) == "later");  // from elsewhere it may differ
  world.lookups.work();
  world.authentication.forget({{}, true});
  CHECK(said(world.begin({"192.0.2.1", good.der()})) == "later");
}

TEST_CASE("without policies nobody may anything, whoever they are") {
  World world(false);
  world.use(true, users());
  const auto lamp = world.certificate(world.authority, 1);
  REQUIRE(register_issued(world.registry, lamp, registry::CertificateStatus::active).ok());
  CHECK(said(world.ask("127.0.0.1")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", lamp.der())) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "later");
  world.passwords.work();
  world.lookups.work();
  CHECK(said(world.late.back()) == "not authorized");
}

TEST_CASE("what everything is allowed to has no permissions to ask; others have theirs") {
  World world;
  world.use(true);
  const auto all = world.ask("127.0.0.1");
  CHECK(std::get<Identity>(*all).permissions == nullptr);
  CHECK(said(world.begin({"127.0.0.2"})) == "local");  // the same for all that are

  REQUIRE(detach_policy(world.registry, identity::local_policy, "gnomon:local").ok());
  const std::string arn = "arn:aws:iot:us-east-1:123456789012:";
  REQUIRE(create_policy(world.registry, {"some",
                                         R"({"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
      {"Effect":"Allow","Action":"iot:Publish","Resource":")" +
                                             arn + R"(topic/a/*"},
      {"Effect":"Allow","Action":"iot:RetainPublish","Resource":")" +
                                             arn + R"(topic/a/kept"},
      {"Effect":"Allow","Action":"iot:Subscribe","Resource":")" +
                                             arn + R"(topicfilter/a/#"},
      {"Effect":"Allow","Action":"iot:Receive","Resource":")" +
                                             arn + R"(topic/a/${iot:ClientId}"}]})",
                                         {}})
              .ok());
  REQUIRE(attach_policy(world.registry, "some", "gnomon:local").ok());
  world.authentication.forget({{"local"}, false});
  const auto some = world.ask("127.0.0.1");
  const auto permissions = std::get<Identity>(*some).permissions;
  REQUIRE(permissions != nullptr);
  CHECK(permissions->may_publish("a/b", false));
  CHECK_FALSE(permissions->may_publish("a/b", true));
  CHECK(permissions->may_publish("a/kept", true));
  CHECK_FALSE(permissions->may_publish("b", false));
  CHECK(permissions->may_subscribe("a/#"));
  CHECK_FALSE(permissions->may_subscribe("a/b"));
  CHECK(permissions->may_receive("a/client"));
  CHECK_FALSE(permissions->may_receive("a/b"));
  CHECK(permissions->may_publish("a/" + std::string(limits::topic_bytes_max - 2, 'x'), false));
}

TEST_CASE("passwords are checked on the pool, and remembered when they are right") {
  World world;
  world.use(true, users());
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "wrong")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "right")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", std::string_view("right\0", 6))) == "later");
  CHECK(said(world.ask("127.0.0.1", "", false, "anna", std::nullopt)) == "local");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", std::nullopt)) == "not authorized");
  world.passwords.work();
  world.lookups.work();
  REQUIRE(world.late.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(said(world.late[i]) == "bad user name or password");
  CHECK(said(world.late[3]) == "user/anna");  // its policies were looked up, too
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "user/anna");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "wrong")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "annar", "ight")) == "later");
  CHECK(said(world.ask("127.0.0.1")) == "local");
  world.use(true, users());  // another file: nothing is remembered
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "later");
}

TEST_CASE("who is asked about again is there as before, or nobody") {
  World world;
  world.use(true, users());
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "later");
  world.passwords.work();
  world.lookups.work();
  const std::uint64_t basis = std::get<Identity>(world.late.at(0)).basis;
  const auto remembered = world.ask("192.0.2.1", "", false, "anna", "right");
  CHECK(std::get<Identity>(*remembered).basis == basis);
  // With no password, but what it stood for.
  const auto anna = world.again("192.0.2.1", "user/anna", basis);
  CHECK(said(anna) == "user/anna");
  CHECK(std::get<Identity>(*anna).basis == basis);
  CHECK(said(world.again("192.0.2.1", "user/anna", basis + 1)) == "not authorized");
  CHECK(said(world.again("192.0.2.1", "user/bert", basis)) == "not authorized");
  CHECK(said(world.again("127.0.0.1", "local")) == "local");

  CHECK(world.use(true, users()).names.empty());
  CHECK(said(world.again("192.0.2.1", "user/anna", basis)) == "user/anna");
  CHECK(world.use(true, users("other")).names == std::vector<std::string>{"user/anna"});
  const auto other = world.again("192.0.2.1", "user/anna", basis);
  CHECK(said(other) == "not authorized");
  CHECK_FALSE(std::get<Refusal>(*other).permissions->may_publish("will", false));
  Users two = users("other");
  two.emplace("bert", two.at("anna"));
  CHECK(world.use(true, two).names.empty());
  CHECK(world.use(true, users("other")).names == std::vector<std::string>{"user/bert"});
  CHECK(world.use(false).names == std::vector<std::string>{"user/anna"});
  CHECK(said(world.again("192.0.2.1", "user/anna", basis)) == "not authorized");
  CHECK(said(world.again("127.0.0.1", "local")) == "not authorized");
}

TEST_CASE("only so many passwords wait at a time") {
  World world;
  world.use(false, users());
  for (int i = 0; i < limits::password_checks_max; ++i) {
    REQUIRE(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "later");
  }
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "server busy");
  world.passwords.tasks.resize(1);
  world.passwords.work();
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "server busy");
}

// A user Ann, who signs.
struct Signing {
  explicit Signing(World& world) : world_(world) {
    REQUIRE(iam::create_user(world.iam, {.name = "Ann", .path = "/", .tags = {}, .boundary = {}}));
    put(R"([{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:*:*:client/ann-*"},
            {"Effect":"Allow","Action":["iot:Publish","iot:Subscribe"],"Resource":"*",
             "Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}},
            {"Effect":"Deny","Action":"iot:RetainPublish","Resource":"*"},
            {"Effect":"Deny","Action":"*","Resource":"*",
             "Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}}])");
    const auto made = iam::create_access_key(world.iam, "Ann");
    REQUIRE(made);
    key = made->value.key.id;
  }
  void put(const std::string& statements) {
    const auto done = iam::put_policy(world_.iam, {iam::EntityKind::user, "Ann"}, "own",
                                      R"({"Version":"2012-10-17","Statement":)" + statements + "}");
    REQUIRE_MESSAGE(done.ok(), done.error().message);
  }
  [[nodiscard]] SignedBy proof(const std::string& token = "") const {
    const auto signatory = world_.iam.signatory(key, token, world_.wall.now());
    REQUIRE(signatory);
    return {signatory->caller,
            token,
            {{"aws:SourceIp", {"127.0.0.1"}}, {"aws:RequestedRegion", {"us-east-1"}}}};
  }
  Verdict ask(const broker::Proof& by, std::string_view client_id, bool again = false) {
    const runtime::Peer here = peer_of("127.0.0.1");
    broker::Credentials credentials{here, nullptr, client_id, {}, {}};
    credentials.proof = &by;
    std::optional<Verdict> told;
    const auto later = [&](Verdict verdict) { told = std::move(verdict); };
    auto now = again ? world_.authentication.renew(credentials, "x", later)
                     : world_.authentication.authenticate(credentials, later);
    if (now) return *std::move(now);
    world_.lookups.work();
    REQUIRE(told);
    return *std::move(told);
  }
  std::string key;

 private:
  World& world_;
};

TEST_CASE("who has signed the upgrade acts by that signature alone, as the policies of IAM say") {
  World world;
  world.authentication.use({.local = true, .authorities = {}, .users = {}});
  Signing ann(world);
  const SignedBy proof = ann.proof();
  const Verdict let_in = ann.ask(proof, "ann-1");
  REQUIRE(std::holds_alternative<Identity>(let_in));
  const auto& [principal, may, until, basis] = std::get<Identity>(let_in);
  CHECK(until == WallTime::never());
  CHECK(principal.starts_with("AIDA"));
  REQUIRE(may);
  CHECK(may->may_publish("t", false));
  CHECK_FALSE(may->may_publish("t", true));
  CHECK(may->may_subscribe("t/#"));
  CHECK_FALSE(may->may_receive("t"));
  // `local` would let it in.
  const Verdict other = ann.ask(proof, "bob");
  REQUIRE(std::holds_alternative<Refusal>(other));
  CHECK(std::get<Refusal>(other).policy);
  CHECK_FALSE(std::get<Refusal>(other).expired);
  CHECK(std::get<Refusal>(other).principal == principal);
  CHECK(std::get<Refusal>(other).permissions->may_publish("t", false));

  iam::Caller root;
  root.kind = iam::Caller::Kind::root;
  root.user_id = "123456789012";
  const Verdict all =
      ann.ask(SignedBy(std::make_shared<const iam::Caller>(root), "", {}), "whoever");
  REQUIRE(std::holds_alternative<Identity>(all));
  CHECK(std::get<Identity>(all).permissions == nullptr);
}

TEST_CASE("who has signed is asked about again as IAM knows them now") {
  World world;
  Signing ann(world);
  const SignedBy proof = ann.proof();
  const auto session = iam::get_session_token(world.iam, *proof.caller, 900);
  REQUIRE(session);
  ann.put(R"({"Effect":"Allow","Action":"iot:*","Resource":"*"})");
  for (const bool again : {false, true}) {
    const Verdict now = ann.ask(proof, "bob", again);
    REQUIRE(std::holds_alternative<Identity>(now));
    CHECK(std::get<Identity>(now).permissions->may_receive("t"));
  }
  // A temporary key goes with its token, and ends.
  const std::string lasting = std::exchange(ann.key, session->access_key_id);
  const SignedBy temporary = ann.proof(session->session_token);
  const Verdict held = ann.ask(temporary, "ann-1", true);
  REQUIRE(std::holds_alternative<Identity>(held));
  const WallTime until = std::get<Identity>(held).until;
  CHECK(until == WallTime{world.wall.now().ms + 900'000 - 1});
  world.wall.advance(std::chrono::milliseconds(until.ms - world.wall.now().ms));
  CHECK(std::holds_alternative<Identity>(ann.ask(temporary, "ann-1", true)));
  world.wall.advance(std::chrono::milliseconds(1));
  const Verdict over = ann.ask(temporary, "ann-1", true);
  REQUIRE(std::holds_alternative<Refusal>(over));
  CHECK(std::get<Refusal>(over).permissions == nullptr);
  CHECK(std::get<Refusal>(over).expired);
  REQUIRE(iam::update_access_key(world.iam, "Ann", lasting, false));
  CHECK(std::holds_alternative<Refusal>(ann.ask(proof, "ann-1", true)));
}

TEST_CASE("an upgrade without a signature is worth a CONNECT only if somebody could be behind it") {
  World world;
  const runtime::Peer here = peer_of("127.0.0.1");
  const runtime::Peer there = peer_of("192.0.2.1");
  runtime::Security shown;
  shown.certificate = "DER";
  const runtime::Security none;
  auto& authentication = world.authentication;
  CHECK_FALSE(authentication.may_know(here, nullptr));
  CHECK(authentication.may_know(there, &shown));
  CHECK_FALSE(authentication.may_know(there, &none));
  authentication.use({.local = true, .authorities = {}, .users = {}});
  CHECK(authentication.may_know(here, nullptr));
  CHECK_FALSE(authentication.may_know(there, nullptr));
  authentication.use({.local = false, .authorities = {}, .users = Users()});
  CHECK(authentication.may_know(there, nullptr));
}

}  // namespace
}  // namespace gnomon::server
