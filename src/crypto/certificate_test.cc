// Certificates of strangers: what is read, what is refused (hostile input, row 20).
#include "crypto/certificate.h"

#include <functional>
#include <string>

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "crypto/native.h"

namespace gnomon::crypto {
namespace {

using Kind = AlternativeName::Kind;

const PrivateKey& key() {
  static const PrivateKey made = PrivateKey::generate_ec_p256();
  return made;
}

void put(X509_NAME* name, int nid, int type, std::string_view value) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
  X509_NAME_ENTRY* entry = X509_NAME_ENTRY_new();
  X509_NAME_ENTRY_set_object(entry, OBJ_nid2obj(nid));
  X509_NAME_ENTRY_set_data(entry, type, bytes, static_cast<int>(value.size()));
  X509_NAME_add_entry(name, entry, -1, 0);
  X509_NAME_ENTRY_free(entry);
}

void extend(X509* certificate, int nid, const std::string& text) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, text.c_str());
  REQUIRE(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// An extension of these very bytes.
void extend_raw(X509* certificate, int nid, std::string_view der) {
  ASN1_OCTET_STRING* bytes = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(bytes, reinterpret_cast<const unsigned char*>(der.data()),
                        static_cast<int>(der.size()));
  X509_EXTENSION* extension = X509_EXTENSION_create_by_NID(nullptr, nid, 0, bytes);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(bytes);
}

using Change = std::function<void(X509*)>;

// DER of a certificate signed by its own key, after `change`.
std::string forge(const Change& change, EVP_PKEY* with = nullptr) {
  const Held<X509> held(X509_new());
  X509* certificate = held.get();
  EVP_PKEY* signer = with == nullptr ? Native::of(key()) : with;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x0abc);
  ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20240101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20250101000000Z");
  X509_set_pubkey(certificate, signer);
  change(certificate);
  X509_sign(certificate, signer, EVP_sha256());
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  REQUIRE(size > 0);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  ERR_clear_error();
  return der;
}

Certificate read(const std::string& der) {
  auto certificate = Certificate::from_der(as_bytes(der));
  CHECK(ERR_peek_error() == 0);
  REQUIRE_MESSAGE(certificate, certificate.error().message);
  return *certificate;
}

bool refused(const std::string& der, std::string_view why) {
  const auto certificate = Certificate::from_der(as_bytes(der));
  CHECK(ERR_peek_error() == 0);
  if (certificate) return false;
  CHECK(certificate.error().code == Code::invalid);
  CAPTURE(certificate.error().message);
  CHECK(certificate.error().message.find(why) != std::string::npos);
  return true;
}

Change named(std::string_view name, int type = V_ASN1_UTF8STRING) {
  return [=](X509* c) { put(X509_get_subject_name(c), NID_commonName, type, name); };
}

constexpr WallTime of_2024{1'704'067'200'000}, of_2025{1'735'689'600'000};

TEST_CASE("Everything that is in a certificate") {
  const std::string der = forge([](X509* c) {
    X509_NAME* subject = X509_get_subject_name(c);
    put(subject, NID_countryName, V_ASN1_PRINTABLESTRING, "DE");
    put(subject, NID_organizationalUnitName, V_ASN1_UTF8STRING, "one");
    put(subject, NID_organizationalUnitName, V_ASN1_UTF8STRING, "two");
    put(subject, NID_commonName, V_ASN1_UTF8STRING, "lämp, #1");
    put(X509_get_issuer_name(c), NID_commonName, V_ASN1_UTF8STRING, "maker");
    extend(c, NID_subject_alt_name,
           "DNS:a.test,IP:10.0.0.1,IP:2001:db8::1,email:a@b.test,URI:urn:x,RID:1.2.3");
    extend(c, NID_basic_constraints, "critical,CA:TRUE");
  });
  const Certificate read_one = read(der);
  CHECK(read_one.der() == der);
  CHECK(read_one.serial() == "abc");
  CHECK(read_one.id().size() == 64);
  CHECK(read_one.not_before() == of_2024);
  CHECK(read_one.not_after() == of_2025);
  CHECK(read_one.public_key() == key().public_key());
  CHECK(read_one.is_ca());
  const Name& subject = read_one.subject();
  CHECK(subject.text == "CN=lämp\\, #1,OU=two,OU=one,C=DE");
  CHECK(subject.find(Attribute::common_name) == "lämp, #1");
  CHECK(subject.all(Attribute::organizational_unit) == std::vector<std::string_view>{"one", "two"});
  CHECK_FALSE(subject.find(Attribute::pseudonym));
  CHECK(read_one.issuer().find(Attribute::common_name) == "maker");
  CHECK(read_one.alternative_names() == std::vector<AlternativeName>{{Kind::dns, "a.test"},
                                                                     {Kind::ip, "10.0.0.1"},
                                                                     {Kind::ip, "2001:db8::1"},
                                                                     {Kind::email, "a@b.test"},
                                                                     {Kind::uri, "urn:x"}});
}

TEST_CASE("PEM: one certificate, text around it, several") {
  const std::string a = read(forge(named("a"))).to_pem(), b = read(forge(named("b"))).to_pem();
  CHECK(Certificate::from_pem("text\n" + a + key().to_pem())->to_pem() == a);
  CHECK(Certificate::from_pem(a + b).error().message.find("there are 2") != std::string::npos);
  CHECK(Certificate::from_pem(key().to_pem()).error().message.find("no block") !=
        std::string::npos);
  CHECK_FALSE(Certificate::from_pem(a.substr(0, a.size() / 2)));
  CHECK_FALSE(Certificate::from_pem(a + a.substr(0, a.size() / 2)));
  CHECK_FALSE(Certificate::from_pem(std::string(limits::certificate_pem_bytes_max + 1, ' ')));
  const auto both = read_certificates(a + b);
  REQUIRE(both);
  CHECK(both->size() == 2);
  CHECK(both->back().to_pem() == b);
  std::string many;
  for (std::size_t i = 0; i <= limits::certificate_chain_max; ++i) many += a;
  CHECK_FALSE(read_certificates(many));
  const auto bad = read_certificates(a + write_pem("CERTIFICATE", as_bytes("x")));
  CHECK(bad.error().message.starts_with("certificate 2: "));
}

TEST_CASE("A NUL in a name is refused, never cut") {
  using namespace std::string_literals;
  CHECK(refused(forge(named("lamp\0.evil"s)), "subject"));
  CHECK(refused(forge(named("\0"s)), "subject"));
  CHECK(refused(forge(named("\0l\0\0"s, V_ASN1_BMPSTRING)), "subject"));
  CHECK(refused(forge([](X509* c) {
                  put(X509_get_issuer_name(c), NID_commonName, V_ASN1_UTF8STRING, "a\0b"s);
                }),
                "issuer"));
  // SEQUENCE { [2] "a\0b" }, and the same as an address of e-mail and a URI.
  for (const char tag : {'\x82', '\x81', '\x86'}) {
    const std::string san = "\x30\x05"s + tag + "\x03"s + "a\0b"s;
    CHECK(refused(forge([&](X509* c) { extend_raw(c, NID_subject_alt_name, san); }),
                  "alternative name"));
  }
}

TEST_CASE("A null name is allowed, a name that is no text is not") {
  CHECK(read(forge([](X509*) {})).subject().parts.empty());
  CHECK(read(forge(named(""))).subject().find(Attribute::common_name) == "");
  CHECK(refused(forge(named("l\xe4mp")), ""));       // Latin-1 called UTF-8
  CHECK(refused(forge(named("\xed\xa0\x80")), ""));  // a surrogate
  // OpenSSL writes no wrong tags itself: half a character, a number, a sequence.
  for (const char tag : {'\x1e', '\x02', '\x30'}) {
    std::string der = forge(named("abc"));
    const std::size_t at = der.find(
        "\x0c\x03"
        "abc");
    REQUIRE(at != std::string::npos);
    der[at] = tag;
    CHECK(refused(der, ""));
  }
  CHECK(read(forge(named("l\xe4mp", V_ASN1_T61STRING))).subject().text == "CN=lämp");
}

TEST_CASE("10 KB of alternative names, in one and in many") {
  const std::string big = "DNS:" + std::string(10'000, 'a');
  const Certificate one = read(forge([&](X509* c) { extend(c, NID_subject_alt_name, big); }));
  CHECK(one.alternative_names().front().value.size() == 10'000);
  std::string list = "DNS:a";
  for (int i = 0; i < 2000; ++i) list += ",DNS:n" + std::to_string(i);
  const Certificate many = read(forge([&](X509* c) { extend(c, NID_subject_alt_name, list); }));
  CHECK(many.alternative_names().size() == 2001);
  const std::string huge = "DNS:" + std::string(limits::certificate_der_bytes_max, 'a');
  CHECK(refused(forge([&](X509* c) { extend(c, NID_subject_alt_name, huge); }), "longer"));
}

TEST_CASE("Extensions that are broken, or there twice, are refused") {
  using namespace std::string_literals;
  for (const std::string& der :
       {""s, "\x30"s, "\x30\x7f\x82"s, "\x04\x00"s, "\x30\x03\x87\x01\x01"s})
    CHECK(refused(forge([&](X509* c) { extend_raw(c, NID_subject_alt_name, der); }), ""));
  CHECK(refused(forge([&](X509* c) { extend_raw(c, NID_basic_constraints, "x"); }), "extension"));
  CHECK(refused(forge([](X509* c) {
                  extend(c, NID_subject_alt_name, "DNS:a");
                  extend(c, NID_subject_alt_name, "DNS:b");
                }),
                ""));
}

TEST_CASE("Keys: those of a strange kind are read and named, not taken for devices") {
  const Held<EVP_PKEY> weak(EVP_RSA_gen(1024)), curve(EVP_EC_gen("secp256k1"));
  CHECK_FALSE(read(forge(named("a"), weak.get())).public_key().check());
  CHECK_FALSE(read(forge(named("a"), curve.get())).public_key().check());
}

TEST_CASE("Version 1, as the openssl command signs it, is read; it is no authority") {
  const Certificate old = read(forge([](X509* c) { X509_set_version(c, X509_VERSION_1); }));
  CHECK_FALSE(old.is_ca());
}

TEST_CASE("Bytes behind the end, truncations and flipped bits: refused or read, never more") {
  const std::string der = forge([](X509* c) {
    put(X509_get_subject_name(c), NID_commonName, V_ASN1_UTF8STRING, "lamp");
    extend(c, NID_subject_alt_name, "DNS:a.test,IP:10.0.0.1");
  });
  CHECK(refused(der + "x", "behind its end"));
  CHECK(refused("", "not DER"));
  for (std::size_t size = 0; size < der.size(); ++size) CHECK(refused(der.substr(0, size), ""));
  for (std::size_t bit = 0; bit < der.size() * 8; ++bit) {
    std::string changed = der;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const auto certificate = Certificate::from_der(as_bytes(changed));
    if (!certificate) continue;
    CHECK(certificate->der() == changed);
    CHECK_FALSE(certificate->issued_by(*certificate));
  }
}

TEST_CASE("One certificate has one id: another form of the same is refused") {
  // Long enough for a length of two bytes, whatever the signature's length is.
  const std::string name(200, 'a');
  const std::string der = forge(named(name));
  // SEQUENCE with its length in one byte more than needed: BER, and no DER.
  REQUIRE(der.substr(0, 2) == "\x30\x82");
  CHECK(refused("\x30\x83" + std::string(1, '\0') + der.substr(2), "one form"));
  // A fingerprint is over what stands there.
  CHECK(read(der).id() == read(der).id());
  CHECK(read(der) == read(der));
}

TEST_CASE("Times: before, in, the last second, after") {
  const Certificate year = read(forge(named("lamp")));
  const auto late = [](WallTime at, int ms) { return at + std::chrono::milliseconds(ms); };
  CHECK(year.check_time(of_2024));
  CHECK(year.check_time(late(of_2025, 999)));
  const auto early = year.check_time(late(of_2024, -1));
  CHECK(early.error().message == "the certificate CN=lamp is valid only from 2024-01-01T00:00:00Z");
  const auto over = year.check_time(late(of_2025, 1000));
  CHECK(over.error() == Error{Code::denied,
                              "the certificate CN=lamp expired on "
                              "2025-01-01T00:00:00Z"});
  const auto with = [](const char* end) {
    return forge([=](X509* c) { ASN1_STRING_set(X509_getm_notAfter(c), end, -1); });
  };
  CHECK(read(with("99991231235959Z")).not_after() == WallTime{253'402'300'799'000});
  for (const char* end : {"20251301000000Z", "20250230000000Z", "x", "2025010100000Z", ""})
    CHECK(refused(with(end), ""));
}

}  // namespace
}  // namespace gnomon::crypto
