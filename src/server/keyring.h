// What the server proves itself by and knows others by, as it is now: read at start and on SIGHUP,
// and renewed before it expires.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/hash.h"
#include "net/tls.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "server/authentication.h"
#include "server/config.h"
#include "server/material.h"

namespace gnomon::server {

// The protocols that either TLS port speaks (ALPN, DESIGN §7).
namespace alpn {
constexpr const char* mqtt[] = {"x-amzn-mqtt-ca", "mqtt"};
constexpr const char* http[] = {"x-amzn-http-ca", "http/1.1"};
}  // namespace alpn

// Keyring: Owner: the server; threads: its maker's until watch(), then the control loop's, but for
// reload(). What runs on the pool uses it: the pool ends first. It reads what take() has left,
// while nothing else is taken.
class Keyring final : private runtime::Timer {
 public:
  // The folder's keys and certificates, made where they are missing or due (make_material()).
  using MakeMaterial = std::function<Result<Material>()>;
  using UseTls = std::function<void(std::shared_ptr<const net::TlsConfig>)>;
  using Recheck = std::function<void(std::shared_ptr<const broker::Principals>)>;
  struct Setup {
    const Config& config;
    MakeMaterial make_material;
    const WallClock& wall;
    runtime::Loop& control;
    runtime::Pool& pool;
    Authentication& authentication;
  };
  explicit Keyring(Setup setup) : setup_(std::move(setup)) {}

  // Errors: unavailable, with the file and the remedy.
  Result<void> load();
  // From now on: certificates are renewed when they are due; `use` hears of every new one, and of
  // none that was only read again, so that TLS sessions go on; `recheck` hears of users who are
  // gone or have another password.
  void watch(UseTls use, Recheck recheck);
  // Reads all again, on the pool. If something is wrong with it, it is logged, and what held before
  // goes on to hold. `done` is told on the control loop what came of it. Any thread.
  using Done = std::function<void(const Result<void>&)>;
  void reload(Done done);

  [[nodiscard]] const std::shared_ptr<const net::TlsConfig>& tls() const { return tls_; }
  [[nodiscard]] const std::string& root_path() const { return root_path_; }
  [[nodiscard]] const std::string& root_pem() const { return root_pem_; }

 private:
  struct Read {
    Material material;
    std::optional<Users> users;
    std::shared_ptr<const net::TlsConfig> tls;
    crypto::Sha256 tls_hash{};  // of the certificates and the key that it is made of
  };
  [[nodiscard]] Result<Read> read() const;
  void take(Read read);
  void begin_read();
  void arm();
  void on_timer() override;

  const Setup setup_;
  UseTls use_;
  Recheck recheck_;
  std::shared_ptr<const net::TlsConfig> tls_;
  crypto::Sha256 tls_hash_{};
  std::string root_path_, root_pem_;
  WallTime renew_at_{};
  bool reading_ = false;       // on the pool
  std::vector<Done> waiting_;  // for what is read next
};

}  // namespace gnomon::server
