// IAM: what all its operations are given, and who signs a call. The operations are plain functions,
// in a header for each group of them (README.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "crypto/seal.h"
#include "iam/caller.h"
#include "store/store.h"

namespace gnomon::iam {

// The key of the account's root, from first start or the settings. It is nobody else's.
struct RootKey {
  std::string access_key_id, secret;
};

// Who signs with an access key.
struct Signatory {
  std::string secret;  // what the signature is made with; to be kept out of logs
  std::shared_ptr<const Caller> caller;
};

// Why there is no signatory.
struct KeyRefusal {
  enum class Reason : std::uint8_t {
    unknown_key,  // nobody has it, or whose it was is deleted
    bad_token,    // a temporary key without its session token, or with another; a token too many
    expired,      // the session is over
    inactive,     // the key is switched off
    unavailable,  // the store refuses, or what it holds does not open under this master key
  };
  KeyRefusal(Reason r, std::string m) : reason(r), message(std::move(m)) {}
  explicit KeyRefusal(const Error& error) : KeyRefusal(Reason::unavailable, error.message) {}

  Reason reason;
  std::string message;  // as AWS words it
};

// Those who have called of late (known_callers.h).
class KnownCallers;
[[nodiscard]] std::shared_ptr<KnownCallers> make_known_callers();

// Iam: the ports.
// Owner:   the server. Threads: any, all operations. They wait for nobody but the store's lock.
struct Iam {
  store::Store& store;
  const WallClock& clock;  // the date as people have it (docs/decisions/0012-two-clocks.md)
  Random& random;          // fit for keys, for any thread
  const crypto::Sealer& sealer;
  std::string account;  // "123456789012"
  RootKey root;
  // Shared by all who make changes.
  std::shared_ptr<KnownCallers> known = make_known_callers();

  // Whose key this is, and what they may do; that they hold the secret is for the signature to
  // prove. `token`: of a temporary key ("ASIA…"), or "". `now`: for the end of sessions.
  [[nodiscard]] Result<Signatory, KeyRefusal> signatory(std::string_view access_key_id,
                                                        std::string_view token, WallTime now) const;
};

// "arn:aws:iam::123456789012:" and what follows: "user/Ann".
[[nodiscard]] std::string arn(const Iam& iam, std::string_view resource);

}  // namespace gnomon::iam
