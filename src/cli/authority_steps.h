// Steps with authorities for devices that several commands take.
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "cli/api_client.h"
#include "crypto/issue.h"

namespace gnomon::cli {

// A new one, valid from a day before `now`: devices whose clock is slow use it too. Errors: invalid
// (its name).
Result<crypto::Authority> make_authority(const std::string& name, WallTime now, WallTime until,
                                         Random& random);
// RegisterCACertificate, with a verification certificate that the key signs here, for the
// registration code; without a key in the mode SNI_ONLY. `more`: further members of the request.
// Errors: as ApiClient::call(), invalid (what the key cannot sign).
Result<json::Value> register_authority(ApiClient& client, const crypto::Certificate& certificate,
                                       const std::optional<crypto::PrivateKey>& key,
                                       json::Value more);

}  // namespace gnomon::cli
