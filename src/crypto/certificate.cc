#include "crypto/certificate.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <utility>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "crypto/native.h"

namespace gnomon::crypto {

struct Certificate::State {
  State(Held<X509> c, PublicKey k) : x509(std::move(c)), key(std::move(k)) {}
  Held<X509> x509;
  PublicKey key;
  std::string der, id, serial, subject_key_id, authority_key_id;
  Name subject, issuer;
  std::vector<AlternativeName> names, issuer_names;
  std::vector<std::string> permitted;
  WallTime not_before, not_after;
  bool is_ca = false;
};

namespace {

Error bad(const std::string& why) {
  return {Code::invalid, "this is not a certificate that can be used: " + why};
}

constexpr std::array<std::pair<int, Attribute>, 14> attributes{{
    {NID_commonName, Attribute::common_name},
    {NID_countryName, Attribute::country},
    {NID_organizationName, Attribute::organization},
    {NID_organizationalUnitName, Attribute::organizational_unit},
    {NID_stateOrProvinceName, Attribute::state},
    {NID_localityName, Attribute::locality},
    {NID_dnQualifier, Attribute::distinguished_name_qualifier},
    {NID_serialNumber, Attribute::serial_number},
    {NID_title, Attribute::title},
    {NID_surname, Attribute::surname},
    {NID_givenName, Attribute::given_name},
    {NID_initials, Attribute::initials},
    {NID_pseudonym, Attribute::pseudonym},
    {NID_generationQualifier, Attribute::generation_qualifier},
}};

Attribute attribute_of(const X509_NAME_ENTRY* entry) {
  const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
  const auto* found = std::ranges::find(attributes, nid, [](const auto& row) { return row.first; });
  return found == attributes.end() ? Attribute::other : found->second;
}

// Any kind of string as UTF-8. Nothing: it is none, or holds a NUL, at which others would cut it.
std::optional<std::string> utf8(const ASN1_STRING* string) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, string);
  if (size < 0) return std::nullopt;
  std::string text(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  if (!is_mqtt_utf8(text)) return std::nullopt;
  return text;
}

std::optional<std::string> printed(const X509_NAME* name) {
  const auto out = writer();
  if (X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
    return std::nullopt;
  return written(out.get());
}

std::optional<Name> read_name(const X509_NAME* from) {
  Name name;
  for (int i = 0; i < X509_NAME_entry_count(from); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(from, i);
    auto value = utf8(X509_NAME_ENTRY_get_data(entry));
    if (!value) return std::nullopt;
    name.parts.push_back({attribute_of(entry), std::move(*value)});
  }
  auto text = printed(from);
  const unsigned char* der = nullptr;
  std::size_t size = 0;
  if (!text || X509_NAME_get0_der(from, &der, &size) != 1) return std::nullopt;
  name.text = std::move(*text);
  name.der.assign(reinterpret_cast<const char*>(der), size);
  return name;
}

std::optional<std::string> address(ByteView bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return std::string(text.data());
}

ByteView bytes_of(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// An IA5String: ASCII, and here without blanks and control characters.
std::optional<std::string> ascii(const ASN1_STRING* string) {
  const std::string_view text = as_text(bytes_of(string));
  const bool clean = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!clean) return std::nullopt;
  return std::string(text);
}

// Appends one name, or nothing if its kind is none of ours; false: it cannot be read.
bool add_name(std::vector<AlternativeName>& names, const GENERAL_NAME* from) {
  using Kind = AlternativeName::Kind;
  std::optional<std::string> value;
  Kind kind = Kind::dns;
  switch (from->type) {
    case GEN_DNS:
      value = ascii(from->d.dNSName);
      break;
    case GEN_EMAIL:
      kind = Kind::email;
      value = ascii(from->d.rfc822Name);
      break;
    case GEN_URI:
      kind = Kind::uri;
      value = ascii(from->d.uniformResourceIdentifier);
      break;
    case GEN_IPADD:
      kind = Kind::ip;
      value = address(bytes_of(from->d.iPAddress));
      break;
    case GEN_DIRNAME:
      kind = Kind::directory;
      if (auto name = read_name(from->d.directoryName)) value = std::move(name->text);
      break;
    default:
      return true;
  }
  if (!value) return false;
  names.push_back({kind, std::move(*value)});
  return true;
}

bool read_names(std::vector<AlternativeName>& names, X509* from, int extension) {
  int found = 0;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(from, extension, &found, nullptr));
  if (list == nullptr) return found == -1;  // -1: there is none; else it is there and is broken
  bool read = true;
  for (int i = 0; read && i < sk_GENERAL_NAME_num(list); ++i)
    read = add_name(names, sk_GENERAL_NAME_value(list, i));
  GENERAL_NAMES_free(list);
  return read;
}

// The address of a constraint that permits this one alone: the bytes and as many of a full mask.
std::optional<std::string> one_address(const ASN1_STRING* octets) {
  const std::string_view bytes = as_text(bytes_of(octets));
  const std::string_view mask = bytes.substr(bytes.size() / 2);
  if (mask.find_first_not_of('\xFF') != std::string_view::npos) return std::nullopt;
  return address(as_bytes(bytes.substr(0, bytes.size() / 2)));
}

bool read_permitted(std::vector<std::string>& permitted, X509* from) {
  int found = 0;
  auto* all =
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(from, NID_name_constraints, &found, nullptr));
  if (all == nullptr) return found == -1;
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(all->permittedSubtrees); ++i) {
    const GENERAL_NAME* base = sk_GENERAL_SUBTREE_value(all->permittedSubtrees, i)->base;
    std::optional<std::string> name;
    if (base->type == GEN_DNS) name = ascii(base->d.dNSName);
    if (base->type == GEN_IPADD) name = one_address(base->d.iPAddress);
    if (name) permitted.push_back(std::move(*name));
  }
  NAME_CONSTRAINTS_free(all);
  return true;
}

std::optional<WallTime> read_time(const ASN1_TIME* from) {
  std::tm parts{};
  if (from == nullptr || ASN1_TIME_to_tm(from, &parts) != 1) return std::nullopt;
  namespace time = std::chrono;
  const auto day = time::year(parts.tm_year + 1900) /
                   time::month(static_cast<unsigned>(parts.tm_mon + 1)) /
                   time::day(static_cast<unsigned>(parts.tm_mday));
  const time::sys_seconds at = time::sys_days(day) + time::hours(parts.tm_hour) +
                               time::minutes(parts.tm_min) + time::seconds(parts.tm_sec);
  return WallTime{time::milliseconds(at.time_since_epoch()).count()};
}

std::string key_id(const ASN1_OCTET_STRING* id) {
  if (id == nullptr) return "";
  return hex(bytes_of(id));
}

std::string read_serial(const X509* from) {
  BIGNUM* number = made(ASN1_INTEGER_to_BN(X509_get0_serialNumber(from), nullptr));
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  const bool negative = BN_is_negative(number) != 0;
  BN_free(number);
  std::string text = hex(as_bytes(bytes));
  text.erase(0, text.find_first_not_of('0'));  // all of it if it is 0
  return (negative ? "-" : "") + (text.empty() ? "0" : text);
}

// Without the milliseconds, which certificates do not have.
std::string second(WallTime at) {
  std::string text = to_string(at);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text;
}

Result<X509*> parse(ByteView der) {
  if (der.size() > limits::certificate_der_bytes_max) {
    return bad("it is longer than " + std::to_string(limits::certificate_der_bytes_max) + " bytes");
  }
  const unsigned char* at = der.data();
  Held<X509> x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x509) return bad("it is not DER");
  if (at != der.data() + der.size()) return bad("bytes follow behind its end");
  // Written again it must be the same, or one certificate would have several ids.
  unsigned char* again = nullptr;
  const int size = i2d_X509(x509.get(), &again);
  const bool same = size > 0 && as_text(der) == as_text({again, static_cast<std::size_t>(size)});
  OPENSSL_free(again);
  if (!same) return bad("it is not in DER's one form");
  // Reads all extensions; what is wrong with them shows only here.
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0)
    return bad("an extension cannot be read, or is there twice");
  return x509.release();
}

}  // namespace

std::optional<Name> Native::name(const X509_NAME* from) { return read_name(from); }

X509* Native::of(const Certificate& certificate) { return certificate.state_->x509.get(); }

std::optional<std::string_view> Name::find(Attribute attribute) const {
  const auto found = std::ranges::find(parts, attribute, &Part::attribute);
  if (found == parts.end()) return std::nullopt;
  return found->value;
}

std::vector<std::string_view> Name::all(Attribute attribute) const {
  std::vector<std::string_view> values;
  for (const Part& part : parts)
    if (part.attribute == attribute) values.push_back(part.value);
  return values;
}

Result<Certificate> Certificate::from_der(ByteView der) {
  const ErrorsGone gone;
  auto parsed = parse(der);
  if (!parsed) return parsed.error();
  Held<X509> x509(*parsed);
  EVP_PKEY* key = X509_get0_pubkey(x509.get());
  if (key == nullptr) return bad("its public key cannot be read, or is of an unknown kind");
  auto half = Native::public_key(key);
  if (!half) return bad(half.error().message);
  auto state = std::make_shared<State>(std::move(x509), std::move(half).value());
  X509* from = state->x509.get();
  auto subject = read_name(X509_get_subject_name(from));
  if (!subject) return bad("its subject holds what is no text, or a NUL");
  auto issuer = read_name(X509_get_issuer_name(from));
  if (!issuer) return bad("its issuer holds what is no text, or a NUL");
  if (!read_names(state->names, from, NID_subject_alt_name) ||
      !read_names(state->issuer_names, from, NID_issuer_alt_name)) {
    return bad("an alternative name is not what it says, or holds a NUL, a blank or no ASCII");
  }
  if (!read_permitted(state->permitted, from)) return bad("its name constraints cannot be read");
  const auto not_before = read_time(X509_get0_notBefore(from));
  const auto not_after = read_time(X509_get0_notAfter(from));
  if (!not_before || !not_after) return bad("it has a time that does not exist");
  state->subject = std::move(*subject);
  state->issuer = std::move(*issuer);
  state->not_before = *not_before;
  state->not_after = *not_after;
  state->der = as_text(der);
  state->id = hex(sha256(der));
  state->serial = read_serial(from);
  state->subject_key_id = key_id(X509_get0_subject_key_id(from));
  state->authority_key_id = key_id(X509_get0_authority_key_id(from));
  state->is_ca = X509_check_ca(from) == 1;  // above 1: old forms that do not say so
  return Certificate(std::move(state));
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  if (pem.size() > limits::certificate_pem_bytes_max) {
    return bad("it is longer than " + std::to_string(limits::certificate_pem_bytes_max) + " bytes");
  }
  auto certificates = read_certificates(pem);
  if (!certificates) return certificates.error();
  if (certificates->size() > 1) {
    return bad("there are " + std::to_string(certificates->size()) + " where one is expected");
  }
  return std::move(certificates->front());
}

const std::string& Certificate::der() const { return state_->der; }
std::string Certificate::to_pem() const { return write_pem("CERTIFICATE", as_bytes(state_->der)); }
const std::string& Certificate::id() const { return state_->id; }
const std::string& Certificate::serial() const { return state_->serial; }
const Name& Certificate::subject() const { return state_->subject; }
const Name& Certificate::issuer() const { return state_->issuer; }
const std::vector<AlternativeName>& Certificate::alternative_names() const { return state_->names; }
const std::vector<AlternativeName>& Certificate::issuer_alternative_names() const {
  return state_->issuer_names;
}
WallTime Certificate::not_before() const { return state_->not_before; }
WallTime Certificate::not_after() const { return state_->not_after; }
const PublicKey& Certificate::public_key() const { return state_->key; }
const std::string& Certificate::subject_key_id() const { return state_->subject_key_id; }
const std::string& Certificate::authority_key_id() const { return state_->authority_key_id; }
const std::vector<std::string>& Certificate::permitted_names() const { return state_->permitted; }
bool Certificate::is_ca() const { return state_->is_ca; }

Result<void> Certificate::check_time(WallTime now) const {
  const bool early = now < state_->not_before;
  // The last second is whole.
  if (!early && now < state_->not_after + std::chrono::seconds(1)) return {};
  return Error{Code::denied, "the certificate " + state_->subject.text +
                                 (early ? " is valid only from " + second(state_->not_before)
                                        : " expired on " + second(state_->not_after))};
}

Result<void> Certificate::check_purpose(Purpose purpose) const {
  const ErrorsGone gone;
  const bool server = purpose == Purpose::tls_server;
  const int wanted = server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
  if (purpose == Purpose::any || X509_check_purpose(Native::of(*this), wanted, 0) == 1) return {};
  return Error{Code::denied, "the certificate " + state_->subject.text + " is not for TLS " +
                                 (server ? "servers" : "clients") +
                                 ": its key usage or extended key usage says so"};
}

bool Certificate::issued_by(const Certificate& ca) const {
  const ErrorsGone gone;
  return ca.is_ca() && X509_check_issued(Native::of(ca), Native::of(*this)) == X509_V_OK &&
         X509_verify(Native::of(*this), Native::of(ca.public_key())) == 1;
}

Result<std::vector<Certificate>> read_certificates(std::string_view pem) {
  const auto blocks = read_pem(pem, limits::pem_text_bytes_max);
  if (!blocks) return bad(blocks.error().message);
  std::vector<Certificate> certificates;
  for (const PemBlock& block : *blocks) {
    if (block.label != "CERTIFICATE") continue;
    if (certificates.size() == limits::certificate_chain_max) {
      return bad("there are more than " + std::to_string(limits::certificate_chain_max));
    }
    auto certificate = Certificate::from_der(as_bytes(block.bytes));
    if (!certificate) {
      if (certificates.empty()) return certificate.error();
      return Error{Code::invalid, "certificate " + std::to_string(certificates.size() + 1) + ": " +
                                      certificate.error().message};
    }
    certificates.push_back(std::move(certificate).value());
  }
  if (certificates.empty()) return bad("there is no block \"-----BEGIN CERTIFICATE-----\"");
  return certificates;
}

}  // namespace gnomon::crypto
