// Passwords as they are kept: salted, and slow to guess.
//
// The form is mosquitto's since 2.0, `$7$ITERATIONS$SALT$HASH`: PBKDF2 with HMAC-SHA-512, salt and
// hash in base64. So its password files work here unchanged and ours work there. scrypt would cost
// a guesser memory too, but would be a second form that no other broker reads. What we make has
// 210,000 iterations (OWASP's figure for this function; mosquitto's own is 101) and takes about
// 0.1 s of a core: verified off the shard, by a queue that is bounded.
//
// In files each line is `USER:HASH`; empty lines and those that begin with # stay as they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace gnomon::crypto {

constexpr std::uint32_t password_iterations = 210'000;

// PasswordHash: a value.
class PasswordHash {
 public:
  static PasswordHash make(std::string_view password, Random& random,
                           std::uint32_t iterations = password_iterations);
  // Errors: invalid (no `$7$`, or one that is cut, too long or too slow: see base/limits.h);
  // unsupported (`$6$`, mosquitto's form before 2.0: one round only).
  static Result<PasswordHash> parse(std::string_view text);
  // Matches no password, and takes as long to say so as one of ours: for a user that is unknown,
  // so that the time does not tell who is known.
  static PasswordHash nobody();

  // Slow on purpose: for the pool.
  [[nodiscard]] bool matches(std::string_view password) const;
  [[nodiscard]] std::string text() const;

 private:
  PasswordHash() = default;
  std::uint32_t iterations_ = 0;
  std::string salt_, hash_;
};

// Whether a file can name this user: UTF-8 without control characters, ':' and '#' in front, 1 to
// 65,535 bytes. Errors: invalid, with what is allowed.
Result<void> check_user(std::string_view user);
// The users of a file. Errors: invalid (the line's number and what is wrong; a user twice).
Result<std::map<std::string, PasswordHash, std::less<>>> read_passwords(std::string_view file);
// The file with the user's line replaced, or added at the end. All other lines stay, good or not.
[[nodiscard]] std::string with_password(std::string_view file, std::string_view user,
                                        const PasswordHash& hash);
// The file without the user. Errors: not_found.
Result<std::string> without_user(std::string_view file, std::string_view user);

}  // namespace gnomon::crypto
