// Certificates that wait for a device to be provisioned with them, and provisioning claims: both
// are made for a short time. Internal to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "provisioning/provisioning.h"
#include "registry/change.h"

namespace gnomon::provisioning {

enum class WaitsAs : bool { device, claim };

// Notes that the certificate, which this change registers, is deleted once `until` has passed,
// unless it is claimed before; and deletes some that are due, so that there are never many more of
// them than are made in that time. Errors: limit_exceeded (limits::waiting_certificates_max).
registry::Reply<registry::Nothing> expect(registry::Change& change,
                                          const std::string& certificate_id, WallTime until,
                                          WaitsAs as);
// It stays from now on. False: it does not wait, or not any more.
[[nodiscard]] bool claim(registry::Change& change, const std::string& certificate_id,
                         WallTime until);

// Ownership: what a certificate ownership token says. Only this server's key makes one, so nobody
// guesses it; that it is used once says the record which claim() takes away.
struct Ownership {
  std::string certificate_id;
  WallTime until;
  static void fields(auto& r, auto& archive) { archive(r.certificate_id, r.until); }
};
// Base64.
[[nodiscard]] std::string write_token(const Provisioning& provisioning, const Ownership& ownership);
// Nothing: it is none of this server's. It may be too late for it.
[[nodiscard]] std::optional<Ownership> read_token(const Provisioning& provisioning,
                                                  std::string_view token);

}  // namespace gnomon::provisioning
