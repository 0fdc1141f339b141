// Who may connect, as far as the server knows by itself: devices with a certificate of the folder's
// authority, the users of a password file, and whoever is on this machine.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/random.h"
#include "broker/authenticator.h"
#include "crypto/certificate.h"
#include "crypto/password.h"
#include "runtime/pool.h"

namespace gnomon::server {

using Users = std::map<std::string, crypto::PasswordHash, std::less<>>;

// What is known, at one time.
struct Known {
  bool local = false;                            // loopback is an identity
  std::vector<crypto::Certificate> authorities;  // for devices
  std::optional<Users> users;                    // none: there is no password file
};

// Authentication: whoever shows a certificate is judged by it; else whoever gives a password, if
// there is a file of them, by that; else whoever is on this machine is `local`. Nobody is let in
// by a lesser way because a better one has failed.
//
// A signature costs 0.1 ms and a password 0.1 s: both are remembered, bounded, until what is known
// changes. Passwords are checked on the pool, at most limits::password_checks_max at a time.
// Threads: any. What the pool runs uses it: the pool ends first.
class Authentication final : public broker::Authenticator {
 public:
  // `wall`: what others see on their clocks, for the validity of certificates.
  Authentication(const WallClock& wall, runtime::Pool& pool, Random& random);

  // From now on.
  void use(Known known);
  std::optional<broker::Verdict> authenticate(const broker::Credentials& credentials,
                                              Later later) override;

 private:
  // What was found out on the ground of one Known; goes with it.
  struct Ground {
    explicit Ground(Known given) : known(std::move(given)) {}
    const Known known;
    struct Validity {
      WallTime from, until;
    };
    // By SHA-256 of the DER: those whose signature was looked at and is right.
    Guarded<std::unordered_map<std::string, Validity>> certificates;
    Guarded<std::unordered_set<std::string>> passwords;  // that were right; see remembered()
  };
  broker::Verdict by_certificate(Ground& ground, const std::string& der) const;
  std::optional<broker::Verdict> by_password(const std::shared_ptr<Ground>& ground,
                                             std::string_view user, ByteView password, Later later);
  // By what a right password is remembered: nothing that tells it.
  [[nodiscard]] std::string remembered(std::string_view user, ByteView password) const;

  const WallClock& wall_;
  runtime::Pool& pool_;
  std::string secret_;  // of remembered(), random
  Guarded<std::shared_ptr<Ground>> ground_;
  std::atomic<int> checks_{0};  // passwords on the pool
};

}  // namespace gnomon::server
