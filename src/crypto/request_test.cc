#include "crypto/request.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include "base/limits.h"
#include "crypto/issue.h"

namespace gnomon::crypto {
namespace {

constexpr WallTime begin{1'577'836'800'000};

std::string request(const PrivateKey& key, const std::string& name = "lamp") {
  const auto made = write_request(name, key);
  REQUIRE_MESSAGE(made, made.error().message);
  return *made;
}

std::string refused(std::string_view pem) {
  const auto read = read_request(pem);
  CHECK(ERR_peek_error() == 0);
  return read ? "" : read.error().message;
}

TEST_CASE("a request brings its subject and its key") {
  for (const PrivateKey& key : {PrivateKey::generate_ec_p256(), PrivateKey::generate_rsa_2048()}) {
    const auto read = read_request(request(key));
    REQUIRE(read);
    CHECK(read->subject.find(Attribute::common_name) == "lamp");
    CHECK(read->key == key.public_key());
  }
}

TEST_CASE("what is no request, or not signed by its key, is refused") {
  const std::string good = request(PrivateKey::generate_ec_p256());
  CHECK(refused("").find("no block") != std::string::npos);
  CHECK(refused(good + good).find("more than one") != std::string::npos);
  CHECK(refused(std::string(limits::request_pem_bytes_max, 'x') + good).find("longer") !=
        std::string::npos);
  CHECK(refused(PrivateKey::generate_ec_p256().to_pem()).find("no block") != std::string::npos);
  // Each of its bytes counts: the subject is signed, too.
  int wrong = 0;
  for (std::size_t i = good.find('\n') + 1; i < good.rfind("-----END"); i += 7) {
    std::string changed = good;
    if (changed[i] == '\n' || changed[i] == '=') continue;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != good && !refused(changed).empty()) ++wrong;
  }
  CHECK(wrong > 20);
  CHECK_FALSE(write_request("", PrivateKey::generate_ec_p256()).ok());
  CHECK_FALSE(write_request(std::string(65, 'x'), PrivateKey::generate_ec_p256()).ok());
}

TEST_CASE("a certificate takes the subject of a request as it is") {
  SeededRandom random(1);
  const PrivateKey own = PrivateKey::generate_ec_p256();
  const auto ca = self_sign({Profile::device_ca, "devices", {}, begin, far_end}, own, random);
  REQUIRE(ca);
  const auto read = read_request(request(PrivateKey::generate_ec_p256(), "l\xC3\xA4mpchen"));
  REQUIRE(read);
  Issue what{Profile::device, "not this", {}, begin, far_end};
  what.subject_der = read->subject.der;
  const auto issued = issue(what, read->key, {*ca, own}, random);
  REQUIRE_MESSAGE(issued, issued.error().message);
  CHECK(issued->subject().der == read->subject.der);
  CHECK(issued->public_key() == read->key);
  CHECK(issued->issued_by(*ca));
  CHECK_FALSE(issued->is_ca());
  what.subject_der += 'x';
  CHECK_FALSE(issue(what, read->key, {*ca, own}, random).ok());
}

TEST_CASE("a private key in its older form reads as the same") {
  for (const PrivateKey& key : {PrivateKey::generate_ec_p256(), PrivateKey::generate_rsa_2048()}) {
    const std::string pem = key.to_traditional_pem();
    CHECK(pem.starts_with(key.public_key().kind() == KeyKind::rsa
                              ? "-----BEGIN RSA PRIVATE KEY-----"
                              : "-----BEGIN EC PRIVATE KEY-----"));
    const auto read = PrivateKey::from_pem(pem);
    REQUIRE(read);
    CHECK(read->public_key() == key.public_key());
  }
}

}  // namespace
}  // namespace gnomon::crypto
