#include "crypto/password.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <optional>

#include <openssl/evp.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

namespace gnomon::crypto {

namespace {

constexpr std::size_t salt_bytes = 12, hash_bytes = 64;  // mosquitto 2.0 takes no other sizes
constexpr std::string_view form = "$7$", old_form = "$6$";

std::string derive(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  std::string hash(hash_bytes, '\0');
  const char* bytes = password.empty() ? "" : password.data();
  if (PKCS5_PBKDF2_HMAC(bytes, static_cast<int>(password.size()), as_bytes(salt).data(),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha512(),
                        static_cast<int>(hash.size()),
                        reinterpret_cast<unsigned char*>(hash.data())) != 1) {
    throw std::bad_alloc();
  }
  return hash;
}

// The text up to the next `end`, which is taken away with it; all of it if there is none.
std::string_view take(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

// The user of a line; empty: it has none.
std::string_view user_of(std::string_view line) {
  if (line.starts_with('#')) return {};
  return line.substr(0, line.find(':') == std::string_view::npos ? 0 : line.find(':'));
}

}  // namespace

PasswordHash PasswordHash::make(std::string_view password, Random& random,
                                std::uint32_t iterations) {
  std::array<std::uint8_t, salt_bytes> salt{};
  random.fill(salt);
  PasswordHash made;
  made.iterations_ = iterations;
  made.salt_ = as_text(salt);
  made.hash_ = derive(password, made.salt_, iterations);
  return made;
}

Result<PasswordHash> PasswordHash::parse(std::string_view text) {
  if (text.starts_with(old_form)) {
    return Error{Code::unsupported,
                 "the password is kept in the form $6$, which is quickly guessed; set it anew with "
                 "gnomon passwd"};
  }
  if (!text.starts_with(form)) {
    return Error{Code::invalid,
                 "this is not the hash of a password ($7$…); gnomon passwd makes one"};
  }
  text.remove_prefix(form.size());
  const std::string_view number = take(text, '$');
  PasswordHash read;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), read.iterations_);
  if (error != std::errc() || end != number.data() + number.size() || read.iterations_ == 0 ||
      read.iterations_ > limits::password_iterations_max) {
    return Error{Code::invalid, "the hash of the password must have 1 to " +
                                    std::to_string(limits::password_iterations_max) +
                                    " iterations"};
  }
  auto salt = from_base64(take(text, '$')), hash = from_base64(text);
  if (!salt || salt->empty() || salt->size() > limits::password_salt_bytes_max || !hash ||
      hash->size() != hash_bytes) {
    return Error{Code::invalid, "the hash of the password is damaged"};
  }
  read.salt_ = std::move(*salt);
  read.hash_ = std::move(*hash);
  return read;
}

PasswordHash PasswordHash::nobody() {
  PasswordHash made;
  made.iterations_ = password_iterations;
  made.salt_.assign(salt_bytes, '\0');
  return made;  // without a hash: none is equal to it
}

bool PasswordHash::matches(std::string_view password) const {
  if (password.size() > limits::password_bytes_max) return false;
  // HMAC fills a short key with zeros (RFC 2104 §2), so one that ends in them is another one's
  // double.
  if (password.ends_with('\0')) return false;
  const std::string derived = derive(password, salt_, iterations_);
  return equal_in_constant_time(as_bytes(derived), as_bytes(hash_));
}

std::string PasswordHash::text() const {
  return std::string(form) + std::to_string(iterations_) + '$' + base64(as_bytes(salt_)) + '$' +
         base64(as_bytes(hash_));
}

Result<void> check_user(std::string_view user) {
  const bool clean = std::ranges::none_of(user, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == ':';
  });
  if (clean && !user.empty() && user.size() <= limits::user_bytes_max && user[0] != '#' &&
      is_mqtt_utf8(user)) {
    return {};
  }
  return Error{Code::invalid,
               "the name of a user must be UTF-8 with 1 to " +
                   std::to_string(limits::user_bytes_max) +
                   " bytes, without control characters and ':', and not begin with '#'"};
}

Result<std::map<std::string, PasswordHash, std::less<>>> read_passwords(std::string_view file) {
  std::map<std::string, PasswordHash, std::less<>> users;
  for (int number = 1; !file.empty(); ++number) {
    std::string_view line = take(file, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto wrong = [number](const Error& error) {
      return Error{error.code, "line " + std::to_string(number) + ": " + error.message};
    };
    const std::string_view user = user_of(line);
    if (auto known = check_user(user); !known) return wrong(known.error());
    auto hash = PasswordHash::parse(line.substr(user.size() + 1));
    if (!hash) return wrong(hash.error());
    if (!users.emplace(user, std::move(*hash)).second)
      return wrong({Code::invalid, "the user \"" + std::string(user) + "\" is there twice"});
  }
  return users;
}

std::string with_password(std::string_view file, std::string_view user, const PasswordHash& hash) {
  const std::string own = std::string(user) + ':' + hash.text() + '\n';
  std::string made;
  bool there = false;
  while (!file.empty()) {
    const std::string_view line = take(file, '\n');
    if (user_of(line) != user) {
      made.append(line).append(1, '\n');
    } else if (!there) {
      made += own;
      there = true;
    }
  }
  return there ? made : made + own;
}

Result<std::string> without_user(std::string_view file, std::string_view user) {
  std::string made;
  bool there = false;
  while (!file.empty()) {
    const std::string_view line = take(file, '\n');
    if (user_of(line) == user) {
      there = true;
    } else {
      made.append(line).append(1, '\n');
    }
  }
  if (there) return made;
  return Error{Code::not_found, "there is no user \"" + std::string(user) + '"'};
}

}  // namespace gnomon::crypto
