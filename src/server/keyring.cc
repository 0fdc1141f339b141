#include "server/keyring.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "store/durable_file.h"

namespace gnomon::server {

Result<Keyring::Read> Keyring::read() const {
  auto material = setup_.make_material();
  if (!material) return material.error();
  Read read{std::move(*material), std::nullopt, nullptr};
  const Config& config = setup_.config;
  if (!config.passwords.empty()) {
    const auto text = store::read_file(config.passwords, limits::password_file_bytes_max);
    if (!text) return Error{Code::unavailable, "passwords: " + text.error().message};
    auto users = crypto::read_passwords(*text);
    if (!users) {
      return Error{Code::unavailable,
                   "passwords: " + config.passwords + ": " + users.error().message};
    }
    read.users = std::move(*users);
  }
  net::TlsConfig::Server tls;
  tls.certificates = read.material.server_chain;
  tls.key = read.material.server_key;
  std::string from = "the server's certificate";
  if (!config.tls_certificate.empty()) {
    auto chain = store::read_file(config.tls_certificate, limits::pem_text_bytes_max);
    if (!chain) return Error{Code::unavailable, "tls.certificate: " + chain.error().message};
    auto key = store::read_file(config.tls_key, limits::pem_text_bytes_max);
    if (!key) return Error{Code::unavailable, "tls.key: " + key.error().message};
    tls.certificates = std::move(*chain);
    tls.key = std::move(*key);
    from = "tls.certificate = " + config.tls_certificate + ", tls.key = " + config.tls_key;
  }
  tls.protocols.assign(std::begin(alpn::mqtt), std::end(alpn::mqtt));
  tls.protocols.insert(tls.protocols.end(), std::begin(alpn::http), std::end(alpn::http));
  tls.ask_for_certificate = true;
  read.tls_hash = crypto::sha256(as_bytes(tls.certificates + '\0' + tls.key));
  if (tls_ && read.tls_hash == tls_hash_) {
    read.tls = tls_;
    return read;
  }
  auto made = net::TlsConfig::server(tls);
  if (!made) return Error{Code::unavailable, from + ": " + made.error().message};
  read.tls = std::move(*made);
  return read;
}

void Keyring::take(Read read) {
  const bool is_new = read.tls != tls_;
  tls_ = std::move(read.tls);
  tls_hash_ = read.tls_hash;
  root_path_ = read.material.root_path;
  root_pem_ = read.material.root.to_pem();
  renew_at_ = read.material.renew_at;
  auto changed = setup_.authentication.use(
      {setup_.config.local, {read.material.device_ca}, std::move(read.users)});
  if (recheck_ && !changed.names.empty())
    recheck_(std::make_shared<const broker::Principals>(std::move(changed)));
  if (use_ && is_new) use_(tls_);
}

Result<void> Keyring::load() {
  auto all = read();
  if (!all) return all.error();
  take(std::move(*all));
  return {};
}

void Keyring::reload(Done done) {
  setup_.control.post([this, done = std::move(done)] {
    waiting_.push_back(done);
    if (!reading_) begin_read();
  });
}

void Keyring::begin_read() {
  reading_ = true;
  setup_.pool.run([this, asked = std::exchange(waiting_, {})] {
    auto all = std::make_shared<Result<Read>>(read());
    setup_.control.post([this, asked, all] {
      reading_ = false;
      Result<void> result;
      if (*all) {
        take(std::move(**all));
        log_info("keys_loaded");
      } else {
        result = all->error();
        log_error("keys_not_loaded",
                  {{"what", all->error().message}, {"then", "those from before go on"}});
      }
      for (const Done& done : asked) done(result);
      if (!waiting_.empty()) begin_read();
    });
  });
}

// ---- renewal

void Keyring::watch(UseTls use, Recheck recheck) {
  use_ = std::move(use);
  recheck_ = std::move(recheck);
  arm();
}

// The wall clock may be set meanwhile, so it is looked at now and then.
void Keyring::arm() {
  constexpr std::chrono::hours often{1};
  setup_.control.timers().arm(*this, setup_.control.now() + often);
}

void Keyring::on_timer() {
  if (setup_.wall.now() >= renew_at_ && !reading_) begin_read();
  arm();
}

}  // namespace gnomon::server
