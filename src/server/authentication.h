// Who may connect: devices with a certificate of the registry, the users of a password file, and
// whoever is on this machine; each with the permissions that its policies give.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "api/authority.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/random.h"
#include "broker/authenticator.h"
#include "crypto/certificate.h"
#include "crypto/password.h"
#include "iam/iam.h"
#include "identity/devices.h"
#include "runtime/pool.h"

namespace gnomon::server {

using Users = std::map<std::string, crypto::PasswordHash, std::less<>>;

// SignedBy: whoever has signed the upgrade to a WebSocket.
struct SignedBy final : broker::Proof {
  SignedBy(std::shared_ptr<const iam::Caller> given, std::string token,
           std::vector<api::KeyWithValues> keys_given)
      : caller(std::move(given)), security_token(std::move(token)), keys(std::move(keys_given)) {}
  const std::shared_ptr<const iam::Caller> caller;  // as it was then; never null
  const std::string security_token;                 // of a temporary key; or ""
  const std::vector<api::KeyWithValues> keys;       // condition keys of the upgrade
};

// What is known, at one time.
struct Known {
  bool local = false;                            // loopback is an identity
  std::vector<crypto::Certificate> authorities;  // that `gnomon device cert` signs with
  std::optional<Users> users;                    // none: there is no password file
};

// Authentication: whoever has signed the upgrade to a WebSocket acts by that signature alone;
// whoever shows a certificate is judged by it; else whoever gives a password, if there is a file of
// them, by that; else whoever is on this machine is `local`. Nobody is let in by a lesser way
// because a better one has failed. Then the policies are asked (identity::Devices).
//
// The registry is read on `lookups`; what it says is remembered, bounded, by principal, client id
// and address, until forget(). A password costs 0.1 s: those that were right are remembered until
// the file is read again, and at most limits::password_checks_max are checked at a time, on
// `passwords`. Threads: any. What the pools run uses it: they end first.
class Authentication final : public broker::Authenticator {
 public:
  struct Setup {
    const WallClock& wall;  // what others see on their clocks, for the validity of certificates
    runtime::Pool &lookups, &passwords;
    Random& random;
    identity::Devices& devices;
    const iam::Iam& iam;
    std::string arn_prefix;  // "arn:aws:iot:us-east-1:123456789012:"
  };
  explicit Authentication(const Setup& setup);

  // Whether a connection without a signature may turn out to be somebody.
  [[nodiscard]] bool may_know(const runtime::Peer& peer, const runtime::Security* security) const;
  // From now on. Returns who is not who they were: users that are gone or have another password.
  broker::Principals use(Known known);
  // What was remembered of these principals; also what is being found out now is not remembered.
  void forget(const broker::Principals& principals);

  std::optional<broker::Verdict> authenticate(const broker::Credentials& credentials,
                                              Later later) override;
  std::optional<broker::Verdict> renew(const broker::Credentials& credentials,
                                       std::string_view principal, Later later) override;
  [[nodiscard]] WallTime now() const override { return setup_.wall.now(); }
  // Those whose certificates Devices::admit() knows as the folder's own.
  [[nodiscard]] std::vector<crypto::Certificate> authorities() const {
    return ground()->known.authorities;
  }

 private:
  // What was found out on the ground of one Known; goes with it.
  struct Ground {
    explicit Ground(Known given) : known(std::move(given)) {}
    const Known known;
    Guarded<std::unordered_set<std::string>> passwords;  // that were right; see remembered()
  };
  using GroundPtr = std::shared_ptr<Ground>;
  // Somebody whose proof is right, and how they come. `certificate`: DER; empty: they need none.
  struct Who {
    std::string principal, certificate;
    identity::Arrival arrival;
    std::uint64_t basis = 0;  // of a user: see basis_of()
    // "PRINCIPAL\0CLIENT-ID\0ADDRESS"
    [[nodiscard]] std::string key() const;
  };
  struct Remembered {
    identity::Admission admission;
    std::shared_ptr<const broker::Permissions> permissions;  // null: everything
  };
  using Entries = std::map<std::string, Remembered, std::less<>>;
  struct Memory {
    Entries entries;
    std::uint64_t forgotten = 0;  // how often
  };

  [[nodiscard]] GroundPtr ground() const {
    return ground_.with([](const auto& held) { return held; });
  }
  std::optional<broker::Verdict> by_signature(const broker::Credentials& credentials, Later later);
  broker::Verdict connect(std::shared_ptr<const iam::Caller> caller, std::string_view client_id,
                          const std::vector<api::KeyWithValues>& keys);
  std::optional<broker::Verdict> by_certificate(const broker::Credentials& credentials,
                                                Later later);
  std::optional<broker::Verdict> by_password(const GroundPtr& ground, Who who, ByteView password,
                                             Later later);
  // What the policies say: at once if it is remembered.
  std::optional<broker::Verdict> admit(Who who, Later later);
  broker::Verdict look_up(const Who& who);
  broker::Verdict connect(const Who& who, const Remembered& remembered);
  std::optional<Remembered> recall(const Who& who) const;
  void remember(const Who& who, const Remembered& found, std::uint64_t forgotten);
  // By what a right password is remembered: nothing that tells it.
  [[nodiscard]] std::string remembered(std::string_view user, ByteView password) const;

  const Setup setup_;
  const std::shared_ptr<const std::string> arn_prefix_;
  std::string secret_;  // of remembered(), random
  mutable Guarded<GroundPtr> ground_;
  mutable Guarded<Memory> memory_;
  std::atomic<int> checks_{0};  // passwords on the pool
};

}  // namespace gnomon::server
