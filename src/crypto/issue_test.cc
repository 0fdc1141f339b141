// What is issued holds before OpenSSL's own verification, and only for what it is meant for.
#include "crypto/issue.h"

#include <functional>
#include <set>
#include <string>

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "crypto/native.h"

namespace gnomon::crypto {
namespace {

constexpr WallTime now{1'800'000'000'000}, begin{1'577'836'800'000};
constexpr std::chrono::milliseconds day = std::chrono::hours(24);

Authority authority(const Issue& what, Random& random, const Authority* by = nullptr) {
  const PrivateKey key = PrivateKey::generate_ec_p256();
  auto made =
      by == nullptr ? self_sign(what, key, random) : issue(what, key.public_key(), *by, random);
  REQUIRE_MESSAGE(made, made.error().message);
  return {*made, key};
}

struct World {
  SeededRandom random{1};
  std::vector<std::string> names{"localhost", "*.iot.test", "127.0.0.1", "::1"};
  Authority root = authority({Profile::root, "root", {}, begin, far_end}, random);
  Authority servers =
      authority({Profile::server_ca, "servers", names, begin, far_end}, random, &root);
  Authority devices = authority({Profile::device_ca, "devices", {}, begin, far_end}, random);

  Certificate server(std::vector<std::string> with, const Authority* by = nullptr) {
    auto made =
        issue({Profile::server, "Gnomon server", std::move(with), now, now + day},
              PrivateKey::generate_ec_p256().public_key(), by == nullptr ? servers : *by, random);
    REQUIRE_MESSAGE(made, made.error().message);
    return *made;
  }
  Certificate device(const PublicKey& key = PrivateKey::generate_ec_p256().public_key()) {
    auto made = issue({Profile::device, "lamp", {}, now, now + day}, key, devices, random);
    REQUIRE_MESSAGE(made, made.error().message);
    return *made;
  }
  // "" or why not.
  std::string check(const Certificate& leaf, Purpose purpose, const Certificate& trusted,
                    const std::string& host = "", WallTime at = now) {
    const auto verified = verify(
        leaf, {std::span(&servers.certificate, 1), std::span(&trusted, 1), purpose, at, host});
    CHECK(ERR_peek_error() == 0);
    return verified ? "" : verified.error().message;
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("A server's certificate is verified by OpenSSL for each of its names") {
  World w;
  const Certificate leaf = w.server(w.names);
  for (const char* host : {"localhost", "LOCALHOST", "a.iot.test", "127.0.0.1", "::1", "0:0::1"})
    CHECK(w.check(leaf, Purpose::tls_server, w.root.certificate, host).empty());
  CHECK(has(w.check(leaf, Purpose::tls_server, w.root.certificate, "b.test"), "hostname mismatch"));
  CHECK(has(w.check(leaf, Purpose::tls_server, w.root.certificate, "10.0.0.1"), "IP address"));
  CHECK_FALSE(w.check(leaf, Purpose::tls_server, w.root.certificate, "a.b.iot.test").empty());
  CHECK(has(w.check(leaf, Purpose::tls_client, w.root.certificate), "purpose"));
  CHECK(leaf.alternative_names().size() == 4);
  CHECK_FALSE(leaf.is_ca());
}

TEST_CASE("Wrong authority, too early, too late") {
  World w, other;
  const Certificate leaf = w.server(w.names);
  CHECK_FALSE(w.check(leaf, Purpose::any, other.root.certificate).empty());
  CHECK_FALSE(w.check(leaf, Purpose::any, w.devices.certificate).empty());
  CHECK(has(w.check(leaf, Purpose::any, w.root.certificate, "", now + -day), "not yet valid"));
  CHECK(has(w.check(leaf, Purpose::any, w.root.certificate, "", now + 2 * day), "expired"));
  CHECK(leaf.issued_by(w.servers.certificate));
  CHECK_FALSE(leaf.issued_by(w.root.certificate));
  CHECK_FALSE(leaf.issued_by(other.servers.certificate));
  CHECK(w.root.certificate.issued_by(w.root.certificate));
}

TEST_CASE("An authority for servers is good for its names only") {
  World w;
  const auto permitted = [&](const char* name) {
    return w.check(w.server({name}), Purpose::tls_server, w.root.certificate).empty();
  };
  CHECK(permitted("localhost"));
  CHECK(permitted("bucket.s3.localhost"));
  CHECK(permitted("iot.test"));
  CHECK_FALSE(permitted("example.com"));
  CHECK_FALSE(permitted("notlocalhost"));
  CHECK_FALSE(permitted("10.0.0.1"));
  CHECK_FALSE(permitted("::2"));
  CHECK(w.servers.certificate.permitted_names() ==
        std::vector<std::string>{"localhost", "iot.test", "127.0.0.1", "::1"});
  CHECK(w.root.certificate.permitted_names().empty());
  // A kind that is not named at all is not free.
  World names, addresses;
  names.servers =
      authority({Profile::server_ca, "n", {"a.test"}, begin, far_end}, names.random, &names.root);
  CHECK_FALSE(
      names.check(names.server({"10.0.0.1"}), Purpose::any, names.root.certificate).empty());
  CHECK_FALSE(names.check(names.server({"::1"}), Purpose::any, names.root.certificate).empty());
  CHECK(names.check(names.server({"a.test"}), Purpose::any, names.root.certificate).empty());
  addresses.servers = authority({Profile::server_ca, "a", {"::1"}, begin, far_end},
                                addresses.random, &addresses.root);
  CHECK_FALSE(
      addresses.check(addresses.server({"a.test"}), Purpose::any, addresses.root.certificate)
          .empty());
  CHECK(
      addresses.check(addresses.server({"::1"}), Purpose::any, addresses.root.certificate).empty());
}

TEST_CASE("An authority for servers makes neither devices nor authorities") {
  World w;
  auto device = issue({Profile::device, "x", {}, now, now + day},
                      PrivateKey::generate_ec_p256().public_key(), w.servers, w.random);
  CHECK_FALSE(w.check(*device, Purpose::tls_client, w.root.certificate).empty());
  const Authority below =
      authority({Profile::server_ca, "below", {"localhost"}, begin, far_end}, w.random, &w.servers);
  const Certificate leaf = w.server({"localhost"}, &below);
  const std::vector<Certificate> between{w.servers.certificate, below.certificate};
  const auto deep = verify(leaf, {between, std::span(&w.root.certificate, 1), {}, now, ""});
  CHECK(has(deep.error().message, "path length"));
  // Names are not critical: Mbed TLS would refuse the chain.
  X509* native = Native::of(w.servers.certificate);
  X509_EXTENSION* names =
      X509_get_ext(native, X509_get_ext_by_NID(native, NID_name_constraints, -1));
  CHECK(X509_EXTENSION_get_critical(names) == 0);
}

TEST_CASE("A device's certificate is for clients, under its own authority alone") {
  World w;
  const Certificate leaf = w.device();
  CHECK(w.check(leaf, Purpose::tls_client, w.devices.certificate).empty());
  CHECK(has(w.check(leaf, Purpose::tls_server, w.devices.certificate), "purpose"));
  CHECK_FALSE(w.check(leaf, Purpose::tls_client, w.root.certificate).empty());
  CHECK(leaf.subject().text == "CN=lamp");
  CHECK(leaf.authority_key_id() == w.devices.certificate.subject_key_id());
  CHECK(leaf.subject_key_id() == leaf.public_key().id());
  // A device cannot sign others.
  const PrivateKey key = PrivateKey::generate_ec_p256();
  const Authority device{w.device(key.public_key()), key};
  auto forged = issue({Profile::device, "forged", {}, now, now + day},
                      PrivateKey::generate_ec_p256().public_key(), device, w.random);
  REQUIRE(forged);
  CHECK_FALSE(forged->issued_by(device.certificate));
  CHECK_FALSE(
      verify(*forged, {std::span(&device.certificate, 1), std::span(&w.devices.certificate, 1),
                       Purpose::tls_client, now, ""}));
}

TEST_CASE("An RSA device is issued; a weak key is not") {
  World w;
  const Certificate leaf = w.device(PrivateKey::generate_rsa_2048().public_key());
  CHECK(w.check(leaf, Purpose::tls_client, w.devices.certificate).empty());
}

TEST_CASE("Serial numbers: 128 random bits, never 0 in front, all different") {
  World w;
  std::set<std::string> serials;
  const PublicKey key = PrivateKey::generate_ec_p256().public_key();
  for (int i = 0; i < 300; ++i) {
    const std::string serial = w.device(key).serial();
    CHECK((serial.size() == 31 || serial.size() == 32));
    serials.insert(serial);
  }
  CHECK(serials.size() == 300);
}

TEST_CASE("What cannot be issued is refused with the reason") {
  World w;
  const PublicKey key = PrivateKey::generate_ec_p256().public_key();
  const auto refused = [&](const Issue& what) {
    const auto made = issue(what, key, w.servers, w.random);
    return made ? std::string() : made.error().message;
  };
  const Issue good{Profile::server, "x", {"localhost"}, now, now + day};
  const auto with = [&](const std::function<void(Issue&)>& change) {
    Issue what = good;
    change(what);
    return refused(what);
  };
  CHECK(refused(good).empty());
  CHECK(with([](Issue& i) { i.common_name = std::string(64, 'a'); }).empty());
  CHECK(with([](Issue& i) { i.common_name = "ä" + std::string(63, 'a'); }).empty());
  CHECK(has(with([](Issue& i) { i.common_name = std::string(65, 'a'); }), "1 to 64"));
  CHECK(has(with([](Issue& i) { i.common_name = ""; }), "1 to 64"));
  CHECK(has(with([](Issue& i) { i.common_name = std::string("a\0b", 3); }), "UTF-8"));
  CHECK(has(with([](Issue& i) { i.common_name = "\xff"; }), "UTF-8"));
  CHECK(has(with([](Issue& i) { i.names = {}; }), "1 to 100 names"));
  CHECK(has(with([](Issue& i) { i.profile = Profile::device; }), "others none"));
  CHECK(has(with([](Issue& i) { i.names = {"a b"}; }), "no name"));
  CHECK(has(with([](Issue& i) { i.names.assign(limits::server_names_max + 1, "a"); }), "100"));
  CHECK(has(with([](Issue& i) { i.until = i.from + -day; }), "before it begins"));
  CHECK(has(with([](Issue& i) { i.until = far_end + day; }), "its authority's ends"));
}

TEST_CASE("Names of servers") {
  const auto name = [](std::string_view text) {
    const auto read = server_name(text);
    return read ? *read : "-";
  };
  CHECK(name("LocalHost") == "localhost");
  CHECK(name("iot.example.com.") == "iot.example.com");
  CHECK(name("*.iot.example.com") == "*.iot.example.com");
  CHECK(name("my_host-1") == "my_host-1");
  CHECK(name("10.0.0.1") == "10.0.0.1");
  CHECK(name("0:0:0:0:0:0:0:1") == "::1");
  CHECK(name(std::string(63, 'a') + ".b") == std::string(63, 'a') + ".b");
  using namespace std::string_literals;
  for (const std::string& bad : {""s,
                                 "."s,
                                 "a..b"s,
                                 "a.."s,
                                 "*.a.."s,
                                 ".a"s,
                                 "-a"s,
                                 "a-"s,
                                 "a b"s,
                                 "a/b"s,
                                 "*"s,
                                 "*."s,
                                 "a.*.b"s,
                                 "**.b"s,
                                 "10.0.0.300"s,
                                 "10.0.0"s,
                                 "ä.de"s,
                                 "a\0b"s,
                                 "::1%lo"s,
                                 "[::1]"s,
                                 "a:1"s,
                                 "::1\0"s,
                                 std::string(64, 'a'),
                                 std::string(254, 'a'),
                                 "x"s + std::string(100'000, '.')}) {
    CAPTURE(bad.substr(0, 40));
    CHECK(name(bad) == "-");
  }
  CHECK(is_address("::1"));
  CHECK_FALSE(is_address("localhost"));
}

}  // namespace
}  // namespace gnomon::crypto
