#include "crypto/issue.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <utility>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "crypto/native.h"

namespace gnomon::crypto {

namespace {

constexpr std::size_t dns_name_bytes_max = 253, label_bytes_max = 63;  // RFC 1035 §2.3.4

// Frees an object of OpenSSL's generated kinds at the end of a scope.
struct FreeParts {
  void operator()(ASN1_STRING* object) const { ASN1_STRING_free(object); }
  void operator()(BIGNUM* object) const { BN_free(object); }
  void operator()(NAME_CONSTRAINTS* object) const { NAME_CONSTRAINTS_free(object); }
  void operator()(GENERAL_NAMES* object) const { GENERAL_NAMES_free(object); }
  void operator()(EXTENDED_KEY_USAGE* object) const { EXTENDED_KEY_USAGE_free(object); }
};
template <class T>
using Part = std::unique_ptr<T, FreeParts>;

bool is_authority(Profile profile) {
  return profile != Profile::server && profile != Profile::device;
}
bool has_names(Profile profile) {
  return profile == Profile::server || profile == Profile::server_ca;
}

// The bytes of an address; none: it is a name.
std::string address_bytes(std::string_view name) {
  if (name.size() >= INET6_ADDRSTRLEN || name.find('\0') != std::string_view::npos) return "";
  const std::string text(name);
  std::array<char, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return "";
}

void add(X509* certificate, int nid, void* value, bool critical) {
  done(X509_add1_ext_i2d(certificate, nid, value, critical ? 1 : 0, X509V3_ADD_APPEND));
}

void set_bytes(ASN1_STRING* string, std::string_view bytes) {
  done(ASN1_STRING_set(string, bytes.data(), static_cast<int>(bytes.size())));
}

GENERAL_NAME* general_name(int type, std::string_view bytes) {
  GENERAL_NAME* name = made(GENERAL_NAME_new());
  ASN1_STRING* value = made(type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new());
  set_bytes(value, bytes);
  GENERAL_NAME_set0_value(name, type, value);
  return name;
}

void add_names(X509* certificate, const std::vector<std::string>& names) {
  const Part<GENERAL_NAMES> list(made(sk_GENERAL_NAME_new_null()));
  for (const std::string& name : names) {
    const std::string address = address_bytes(name);
    GENERAL_NAME* entry =
        address.empty() ? general_name(GEN_DNS, name) : general_name(GEN_IPADD, address);
    done(sk_GENERAL_NAME_push(list.get(), entry));
  }
  add(certificate, NID_subject_alt_name, list.get(), false);
}

using Subtrees = STACK_OF(GENERAL_SUBTREE);

void constrain(Subtrees*& subtrees, int type, std::string_view bytes) {
  if (subtrees == nullptr) subtrees = made(sk_GENERAL_SUBTREE_new_null());
  GENERAL_SUBTREE* subtree = made(GENERAL_SUBTREE_new());
  GENERAL_NAME_free(subtree->base);
  subtree->base = general_name(type, bytes);
  done(sk_GENERAL_SUBTREE_push(subtrees, subtree));
}

// Only these names, those below them, and these addresses. A kind of which there is none is
// excluded as a whole: without a word it would be free.
void add_constraints(X509* certificate, const std::vector<std::string>& names) {
  const Part<NAME_CONSTRAINTS> constraints(made(NAME_CONSTRAINTS_new()));
  bool dns = false, addresses = false;
  for (const std::string& name : names) {
    const std::string address = address_bytes(name);
    const std::string_view domain(name);
    if (address.empty()) {
      constrain(constraints->permittedSubtrees, GEN_DNS,
                domain.starts_with("*.") ? domain.substr(2) : domain);
      dns = true;
    } else {
      constrain(constraints->permittedSubtrees, GEN_IPADD,
                address + std::string(address.size(), '\xFF'));
      addresses = true;
    }
  }
  if (!dns) constrain(constraints->excludedSubtrees, GEN_DNS, "");
  if (!addresses) {
    constrain(constraints->excludedSubtrees, GEN_IPADD, std::string(8, '\0'));
    constrain(constraints->excludedSubtrees, GEN_IPADD, std::string(32, '\0'));
  }
  // Not critical, against RFC 5280 §4.2.1.10: Mbed TLS, which many devices use, knows no name
  // constraints and would refuse the chain (docs/decisions/0014-first-start-material.md).
  add(certificate, NID_name_constraints, constraints.get(), false);
}

void add_basic(X509* certificate, Profile profile) {
  BASIC_CONSTRAINTS basic{};
  Part<ASN1_STRING> length;
  if (is_authority(profile)) {
    length.reset(made(ASN1_INTEGER_new()));
    done(ASN1_INTEGER_set(length.get(), profile == Profile::root ? 1 : 0));
    basic.ca = 0xFF;
    basic.pathlen = length.get();
  }
  add(certificate, NID_basic_constraints, &basic, true);
}

void add_usage(X509* certificate, Profile profile, KeyKind key) {
  const Part<ASN1_STRING> usage(made(ASN1_BIT_STRING_new()));
  const auto set = [&](int bit) { done(ASN1_BIT_STRING_set_bit(usage.get(), bit, 1)); };
  if (is_authority(profile)) {
    set(5);  // keyCertSign
    set(6);  // cRLSign
  } else {
    set(0);                           // digitalSignature
    if (key == KeyKind::rsa) set(2);  // keyEncipherment
  }
  add(certificate, NID_key_usage, usage.get(), true);
  if (profile == Profile::root) return;
  const Part<EXTENDED_KEY_USAGE> extended(made(sk_ASN1_OBJECT_new_null()));
  const int nid = has_names(profile) ? NID_server_auth : NID_client_auth;
  done(sk_ASN1_OBJECT_push(extended.get(), OBJ_nid2obj(nid)));
  add(certificate, NID_ext_key_usage, extended.get(), false);
}

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return bytes;
}

Part<ASN1_STRING> octets(std::string_view bytes) {
  Part<ASN1_STRING> string(made(ASN1_OCTET_STRING_new()));
  set_bytes(string.get(), bytes);
  return string;
}

void add_key_ids(X509* certificate, const std::string& own, const std::string& authority) {
  add(certificate, NID_subject_key_identifier, octets(from_hex(own)).get(), false);
  if (authority.empty()) return;
  const Part<ASN1_STRING> id = octets(from_hex(authority));
  AUTHORITY_KEYID key_id{};
  key_id.keyid = id.get();
  add(certificate, NID_authority_key_identifier, &key_id, false);
}

struct FreeName {
  void operator()(X509_NAME* name) const { X509_NAME_free(name); }
};
// Null: it is no name.
std::unique_ptr<X509_NAME, FreeName> read_subject(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  std::unique_ptr<X509_NAME, FreeName> name(
      d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  if (at != end) name.reset();
  return name;
}

void set_subject(X509* certificate, const Issue& what) {
  if (!what.subject_der.empty()) {
    done(X509_set_subject_name(certificate, read_subject(what.subject_der).get()));
    return;
  }
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto put = [&](int nid, const std::string& value) {
    done(X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0));
  };
  if (is_authority(what.profile)) put(NID_organizationName, "Gnomon");
  put(NID_commonName, what.common_name);
}

void set_serial(X509* certificate, Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  while (bytes[0] == 0) random.fill(bytes);  // positive, and always as long
  const Part<BIGNUM> number(made(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)));
  made(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)));
}

void set_time(ASN1_TIME* time, WallTime at) { made(ASN1_TIME_set(time, at.ms / 1000)); }

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

Result<void> check(const Issue& what, const PublicKey& key) {
  const auto bad = [](std::string why) { return Error{Code::invalid, std::move(why)}; };
  if (!what.subject_der.empty()) {
    if (!read_subject(what.subject_der)) return bad("the subject of a certificate is no name");
  } else if (!is_mqtt_utf8(what.common_name) || what.common_name.empty() ||
             characters(what.common_name) > 64) {
    return bad("the name of a certificate must be UTF-8 with 1 to 64 characters");
  }
  if (what.names.empty() == has_names(what.profile) ||
      what.names.size() > limits::server_names_max) {
    return bad("a server's certificate has 1 to " + std::to_string(limits::server_names_max) +
               " names, others none");
  }
  for (const std::string& name : what.names) {
    const auto known = server_name(name);
    if (!known || *known != name) return bad("\"" + name + "\" is no name of a server");
  }
  if (what.until < what.from) return bad("a certificate cannot end before it begins");
  if (what.from.ms < -62'167'219'200'000 || what.until.ms > 253'402'300'799'000) {
    return bad("a certificate's times lie in the years 0 to 9999");
  }
  return key.check();
}

// With everything but issuer, key identifiers and signature.
Held<X509> draft(const Issue& what, const PublicKey& key, Random& random) {
  Held<X509> held(made(X509_new()));
  X509* certificate = held.get();
  done(X509_set_version(certificate, X509_VERSION_3));
  set_serial(certificate, random);
  set_subject(certificate, what);
  set_time(X509_getm_notBefore(certificate), what.from);
  set_time(X509_getm_notAfter(certificate), what.until);
  done(X509_set_pubkey(certificate, Native::of(key)));
  add_basic(certificate, what.profile);
  add_usage(certificate, what.profile, key.kind());
  if (what.profile == Profile::server) add_names(certificate, what.names);
  if (what.profile == Profile::server_ca) add_constraints(certificate, what.names);
  return held;
}

Result<Certificate> sign(X509* certificate, const PrivateKey& key) {
  done(X509_sign(certificate, Native::of(key), EVP_sha256()));
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  done(size);
  // Read again as a stranger's, so what it holds is what others will see.
  auto read = Certificate::from_der({bytes, static_cast<std::size_t>(size)});
  OPENSSL_free(bytes);
  return read;
}

bool is_label(std::string_view label) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= label_bytes_max && !label.starts_with('-') &&
         !label.ends_with('-') && std::ranges::all_of(label, allowed);
}

// Lower case, without "*." in front. The last label is no number: "10.0.0.300" is a mistake.
bool is_dns_name(std::string_view name) {
  if (name.size() > dns_name_bytes_max || name.ends_with('.')) return false;
  std::string_view label;
  do {
    label = name.substr(0, name.find('.'));
    if (!is_label(label)) return false;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  } while (!name.empty());
  return !std::ranges::all_of(label, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Certificate> issue(const Issue& what, const PublicKey& key, const Authority& authority,
                          Random& random) {
  const ErrorsGone gone;
  if (auto possible = check(what, key); !possible) return possible.error();
  const Certificate& by = authority.certificate;
  if (authority.key.public_key().id() != by.public_key().id())
    return Error{Code::invalid, "the authority's key is not there, so nothing can be signed"};
  if (what.until > by.not_after()) {
    return Error{Code::invalid, "a certificate cannot be valid until " + to_string(what.until) +
                                    ": its authority's ends at " + to_string(by.not_after())};
  }
  const auto certificate = draft(what, key, random);
  done(X509_set_issuer_name(certificate.get(), X509_get_subject_name(Native::of(by))));
  add_key_ids(certificate.get(), key.id(), by.subject_key_id());
  return sign(certificate.get(), authority.key);
}

Result<Certificate> self_sign(const Issue& what, const PrivateKey& key, Random& random) {
  const ErrorsGone gone;
  const PublicKey half = key.public_key();
  if (auto possible = check(what, half); !possible) return possible.error();
  const auto certificate = draft(what, half, random);
  done(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())));
  add_key_ids(certificate.get(), half.id(), half.id());
  return sign(certificate.get(), key);
}

Result<std::string> server_name(std::string_view text) {
  if (const std::string address = address_bytes(text); !address.empty()) {
    std::array<char, INET6_ADDRSTRLEN> plain{};
    inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), plain.data(), plain.size());
    return std::string(plain.data());
  }
  std::string name(text);
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (name.ends_with('.')) name.pop_back();
  const std::string_view domain(name);
  if (is_dns_name(domain.starts_with("*.") ? domain.substr(2) : domain)) return name;
  return Error{Code::invalid,
               "must be a DNS name (letters, digits, - and _; \"*.\" in front for all names one "
               "level below; other letters in their \"xn--\" form) or an address"};
}

bool is_address(std::string_view name) { return !address_bytes(name).empty(); }

}  // namespace gnomon::crypto
