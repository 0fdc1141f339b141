// The readers of certificates, keys and password files: whatever the bytes are they read nothing
// outside them, and what they accept is text without a NUL and writes itself to the same again.
// The first byte says which reader.
#include "crypto/certificate.h"

#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "base/utf8.h"
#include "crypto/issue.h"
#include "crypto/key.h"
#include "crypto/password.h"
#include "crypto/request.h"

namespace {

using namespace gnomon::crypto;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_name(const Name& name) {
  for (const Name::Part& part : name.parts) require(gnomon::is_mqtt_utf8(part.value));
  require(gnomon::is_mqtt_utf8(name.text));
}

void check(const Certificate& certificate) {
  check_name(certificate.subject());
  check_name(certificate.issuer());
  for (const auto* names :
       {&certificate.alternative_names(), &certificate.issuer_alternative_names()})
    for (const AlternativeName& name : *names) require(gnomon::is_mqtt_utf8(name.value));
  for (const std::string& name : certificate.permitted_names()) require(gnomon::is_mqtt_utf8(name));
  require(certificate.id().size() == 64);
  const auto again = Certificate::from_pem(certificate.to_pem());
  require(again.ok() && again->id() == certificate.id());
  (void)certificate.public_key().check();
  (void)certificate.check_time({1'800'000'000'000});
  // Its own authority or not: both are answers.
  (void)certificate.issued_by(certificate);
  (void)verify(certificate, {std::span(&certificate, 1),
                             std::span(&certificate, 1),
                             Purpose::tls_client,
                             {1'800'000'000'000},
                             "localhost"});
}

void check_key(std::string_view pem) {
  const auto key = PrivateKey::from_pem(pem);
  if (!key) return;
  const auto again = PrivateKey::from_pem(key->to_pem());
  require(again.ok() && again->public_key() == key->public_key());
}

void check_passwords(std::string_view file) {
  const auto users = read_passwords(file);
  if (!users) return;
  for (const auto& [user, hash] : *users) {
    require(check_user(user).ok());
    const auto again = PasswordHash::parse(hash.text());
    require(again.ok() && again->text() == hash.text());
    const auto rest = without_user(file, user);
    require(rest.ok() && read_passwords(*rest).ok());
    require(read_passwords(with_password(file, user, hash))->size() == users->size());
  }
}

void check_request(std::string_view pem) {
  const auto request = read_request(pem);
  if (!request) return;
  check_name(request->subject);
  require(request->key.check().ok());
}

void check_server_name(std::string_view text) {
  const auto name = server_name(text);
  if (!name) return;
  const auto again = server_name(*name);
  require(again.ok() && *again == *name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const gnomon::ByteView bytes(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto certificate = Certificate::from_der(bytes)) check(*certificate);
      break;
    case 1:
      if (const auto chain = read_certificates(gnomon::as_text(bytes)))
        for (const Certificate& certificate : *chain) check(certificate);
      break;
    case 2:
      check_key(gnomon::as_text(bytes));
      break;
    case 3:
      check_passwords(gnomon::as_text(bytes));
      break;
    case 4:
      check_server_name(gnomon::as_text(bytes));
      break;
    default:
      check_request(gnomon::as_text(bytes));
  }
  return 0;
}
