// The certificates that `gnomon device cert` leaves in the data folder for the server to register:
// DATA/devices/<id>.pem.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/certificate.h"

namespace gnomon::server {

// Leaves one, durably, with mode 0600; a server may be running, under another user: the folder
// `devices` belongs to whom the data folder belongs to. Errors: unavailable.
Result<void> leave_certificate(const std::string& folder, const crypto::Certificate& certificate);
[[nodiscard]] bool is_left(const std::string& folder, const std::string& id);
// Removes it. Errors: unavailable. One that is not there is removed already.
Result<void> take_left(const std::string& folder, const std::string& id);
// The ids of all.
[[nodiscard]] std::vector<std::string> left_certificates(const std::string& folder);

}  // namespace gnomon::server
