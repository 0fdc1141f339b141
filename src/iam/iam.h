// Whose access keys are known, and who signs with them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "iam/caller.h"

namespace gnomon::iam {

// The key that may do everything.
struct RootKey {
  std::string access_key_id, secret;
};

// With what a signature is held against, and who it then is.
struct Signatory {
  std::string secret;
  std::shared_ptr<const Caller> caller;
};

// Why a key signs for nobody.
enum class KeyRefusal : std::uint8_t {
  unknown,   // there is no such key
  token,     // a token is missing, not its own, or there and should not be
  expired,   // the token was its own
  inactive,  // it is switched off
};

// Iam: Threads: any.
class Iam {
 public:
  Iam(std::string account, RootKey root);

  // `token`: the session token that came with the key, or "".
  [[nodiscard]] Result<Signatory, KeyRefusal> signatory(std::string_view access_key_id,
                                                        std::string_view token, WallTime now) const;
  [[nodiscard]] const std::string& account() const { return account_; }

 private:
  const std::string account_;
  const RootKey root_;
  const std::shared_ptr<const Caller> root_caller_;
};

}  // namespace gnomon::iam
