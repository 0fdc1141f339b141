// Who is let in: certificates, passwords, loopback, and what is remembered of them.
#include "server/authentication.h"

#include <arpa/inet.h>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "crypto/issue.h"

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

struct World {
  ManualWallClock wall;
  HeldPool pool;
  SeededRandom random{5};
  Authentication authentication{wall, pool, random};
  crypto::PrivateKey key = crypto::PrivateKey::generate_ec_p256();
  crypto::Authority authority = make_authority();

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
  void use(bool local, std::optional<Users> users = std::nullopt) {
    authentication.use({local, {authority.certificate}, std::move(users)});
  }

  struct Who {
    std::string address = "192.0.2.1";
    std::string certificate;  // DER
    bool encrypted = false;
    std::optional<std::string_view> user, password;
  };
  std::optional<Verdict> ask(std::string address, std::string certificate = "",
                             bool encrypted = false,
                             std::optional<std::string_view> user = std::nullopt,
                             std::optional<std::string_view> password = std::nullopt) {
    return ask(Who{std::move(address), std::move(certificate), encrypted, user, password});
  }
  // What it says at once; nothing: `late` gets it.
  std::optional<Verdict> ask(const Who& who) {
    runtime::Peer peer;
    REQUIRE(inet_pton(AF_INET6, ("::ffff:" + who.address).c_str(), peer.ip) == 1);
    runtime::Security security;
    security.certificate = who.certificate;
    const bool shown = who.encrypted || !who.certificate.empty();
    std::optional<ByteView> password;
    if (who.password) password = as_bytes(*who.password);
    return authentication.authenticate(
        {peer, shown ? &security : nullptr, "client", who.user, password},
        [this](Verdict verdict) { late.push_back(std::move(verdict)); });
  }
  std::vector<Verdict> late;
};

// The principal, or the refusal's reason.
std::string said(const std::optional<Verdict>& verdict) {
  if (!verdict) return "later";
  if (const auto* identity = std::get_if<Identity>(&*verdict)) return identity->principal;
  return std::string(mqtt::describe(std::get<Refusal>(*verdict).reason));
}
Users users() {
  SeededRandom random{9};
  Users all;
  all.emplace("anna", crypto::PasswordHash::make("right", random, 1000));
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

TEST_CASE("a certificate of the device authority is an identity, others are not") {
  World world;
  world.use(true, users());
  const auto good = world.certificate(world.authority, 30);
  for (int i = 0; i < 3; ++i) {
    CHECK(said(world.ask("192.0.2.1", good.der())) == good.id());
  }
  const auto foreign = world.certificate(world.make_authority(), 30);
  // Not even on this machine, or with a password.
  CHECK(said(world.ask("127.0.0.1", foreign.der())) == "not authorized");
  CHECK(said(world.ask("127.0.0.1", foreign.der(), true, "anna", "right")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", "no certificate")) == "not authorized");
  CHECK(said(world.ask("192.0.2.1", world.authority.certificate.der())) == "not authorized");
  CHECK(world.pool.tasks.empty());
}

TEST_CASE("one that was remembered expires all the same, and goes with its authority") {
  World world;
  world.use(false);
  const auto good = world.certificate(world.authority, 1);
  CHECK(said(world.ask("192.0.2.1", good.der())) == good.id());
  world.wall.advance(std::chrono::hours(24) + std::chrono::seconds(1));
  CHECK(said(world.ask("192.0.2.1", good.der())) == "not authorized");
  world.wall.advance(-std::chrono::hours(24) - std::chrono::seconds(2));
  CHECK(said(world.ask("192.0.2.1", good.der())) == "not authorized");
  world.wall.advance(std::chrono::seconds(1));
  CHECK(said(world.ask("192.0.2.1", good.der())) == good.id());
  world.authentication.use({false, {world.make_authority().certificate}, std::nullopt});
  CHECK(said(world.ask("192.0.2.1", good.der())) == "not authorized");
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
  world.pool.work();
  REQUIRE(world.late.size() == 4);
  CHECK(said(world.late[0]) == "user/anna");
  for (int i = 1; i < 4; ++i) {
    CHECK(said(world.late[static_cast<std::size_t>(i)]) == "bad user name or password");
  }
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "user/anna");
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "wrong")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "annar", "ight")) == "later");
  CHECK(said(world.ask("127.0.0.1")) == "local");
  world.use(true, users());  // another file: nothing is remembered
  CHECK(said(world.ask("192.0.2.1", "", false, "anna", "right")) == "later");
}

TEST_CASE("only so many passwords wait at a time") {
  World world;
  world.use(false, users());
  for (int i = 0; i < limits::password_checks_max; ++i) {
    REQUIRE(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "later");
  }
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "server busy");
  world.pool.tasks.resize(1);
  world.pool.work();
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "later");
  CHECK(said(world.ask("192.0.2.1", "", false, "nobody", "x")) == "server busy");
}

}  // namespace
}  // namespace gnomon::server
