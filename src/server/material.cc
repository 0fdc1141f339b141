#include "server/material.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "store/durable_file.h"

namespace gnomon::server {

namespace {

using crypto::Authority;
using crypto::Certificate;
using crypto::PrivateKey;
using crypto::Profile;
namespace file = material_file;

constexpr std::chrono::milliseconds day = std::chrono::hours(24);
// The server's certificate: renewed when two thirds of this are over, so a month is left to notice
// that it was not.
constexpr std::chrono::milliseconds server_life = 90 * day, server_rest = server_life / 3;
// Clocks of devices that are slow by less still accept a new certificate.
constexpr std::chrono::milliseconds slow_clock = 1 * day;
// Authorities begin before any clock that is right, so that one made under a wrong clock, as small
// machines have it at their first start, holds when the clock is set.
constexpr WallTime authority_begin{1'577'836'800'000};  // 2020-01-01
constexpr std::chrono::milliseconds authority_life = 20 * 365 * day;

const std::string new_root =
    "put back the one that belongs there, or remove root-ca.pem, root-ca.key, "
    "server-ca.private.pem and server.private.pem to begin with a new root, which every device "
    "must be given";
const std::string new_devices =
    "put back the one that belongs there, or remove device-ca.pem and device-ca.key to begin with "
    "a new authority for devices";
const std::string new_server_ca =
    "remove server-ca.private.pem and server.private.pem, and they are made anew";
const std::string new_server = "remove it, and it is made anew";

Error wrong(const std::string& path, const std::string& why, const std::string& remedy) {
  return {Code::unavailable, path + ": " + why + "; " + remedy};
}

// Also true for a link that leads nowhere, as to a stick that is not plugged in.
bool is_there(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(std::filesystem::symlink_status(path, failed));
}

Result<PrivateKey> read_key(const std::string& path, const std::string& remedy) {
  auto text = store::read_file(path, limits::pem_text_bytes_max);
  if (!text) return wrong(path, text.error().message, remedy);
  warn_if_open(path);
  auto key = PrivateKey::from_pem(*text);
  if (!key) return wrong(path, key.error().message, remedy);
  return key;
}

Result<std::vector<Certificate>> read_chain(const std::string& path, const std::string& remedy) {
  auto text = store::read_file(path, limits::pem_text_bytes_max);
  if (!text) return wrong(path, text.error().message, remedy);
  auto chain = crypto::read_certificates(*text);
  if (!chain) return wrong(path, chain.error().message, remedy);
  return chain;
}

// An authority whose key may be elsewhere.
struct Keyed {
  Certificate certificate;
  std::optional<PrivateKey> key;
};

Result<Keyed> read_keyed(const std::string& certificate_path, const std::string& key_path,
                         const std::string& remedy) {
  auto chain = read_chain(certificate_path, remedy);
  if (!chain) return chain.error();
  const Certificate& certificate = chain->front();
  if (chain->size() != 1 || !certificate.issued_by(certificate))
    return wrong(certificate_path, "it is not one authority that has signed itself", remedy);
  if (!is_there(key_path)) return Keyed{certificate, std::nullopt};
  auto key = read_key(key_path, remedy);
  if (!key) return key.error();
  if (!(key->public_key() == certificate.public_key())) {
    return wrong(key_path, "it is not the key of " + certificate_path, remedy);
  }
  return Keyed{certificate, std::move(*key)};
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto [rest, end] = std::ranges::unique(names);
  names.erase(rest, end);
  return names;
}

// As the constraints of an authority name them.
std::vector<std::string> domains(std::vector<std::string> names) {
  for (std::string& name : names)
    if (name.starts_with("*.")) name.erase(0, 2);
  return sorted(std::move(names));
}

std::vector<std::string> names_of(const Certificate& server) {
  std::vector<std::string> names;
  for (const auto& name : server.alternative_names()) names.push_back(name.value);
  return sorted(std::move(names));
}

WallTime whole_second(WallTime at) { return {at.ms / 1000 * 1000}; }

// Maker: one call of make_material().
class Maker {
 public:
  Maker(std::string folder, std::vector<std::string> names, WallTime now, Random& random,
        WriteFile write)
      : folder_(std::move(folder)),
        names_(sorted(std::move(names))),
        now_(whole_second(now)),
        random_(random),
        write_(std::move(write)) {}

  Result<Material> make();

 private:
  struct Server {
    PrivateKey key;
    Certificate certificate, authority;
  };

  [[nodiscard]] std::string path(const char* name) const { return folder_ + name; }
  Result<void> write(const char* name, const std::string& text);
  Result<Keyed> self_signed(Profile profile, const char* certificate, const char* key,
                            const std::string& title, const std::string& remedy);
  Result<Keyed> make_root();
  Result<Authority> make_server_ca(const Keyed& root);
  Result<std::optional<Authority>> read_server_ca(const Keyed& root);
  Result<std::optional<Server>> read_server(const Keyed& root);
  Result<Server> make_server(const Keyed& root, const Authority& authority);
  [[nodiscard]] bool holds(const Server& server, const Authority& authority) const;
  [[nodiscard]] WallTime renew_at(const Server& server) const;

  const std::string folder_;
  const std::vector<std::string> names_;
  const WallTime now_;
  Random& random_;
  const WriteFile write_;
};

Result<void> Maker::write(const char* name, const std::string& text) {
  if (auto written = write_(path(name), text); !written) return written;
  log_info("made", {{"file", path(name)}});
  return {};
}

// The key is written first: a certificate without its key is one whose key was taken away.
Result<Keyed> Maker::self_signed(Profile profile, const char* certificate, const char* key,
                                 const std::string& title, const std::string& remedy) {
  if (is_there(path(certificate))) return read_keyed(path(certificate), path(key), remedy);
  if (!is_there(path(key))) {
    if (auto written = write(key, PrivateKey::generate_ec_p256().to_pem()); !written)
      return written.error();
  }
  auto known = read_key(path(key), remedy);
  if (!known) return known.error();
  // The key's own number in the name: the roots of two servers can be told apart, and a certificate
  // made anew from the same key is taken for the same authority.
  const std::string name = title + " " + known->public_key().id().substr(0, 8);
  const WallTime until = std::max(crypto::far_end, now_ + authority_life);
  auto made = crypto::self_sign({profile, name, {}, authority_begin, until}, *known, random_);
  if (!made) return wrong(path(key), made.error().message, remedy);
  if (auto written = write(certificate, made->to_pem()); !written) return written.error();
  return Keyed{*made, std::move(*known)};
}

Result<Keyed> Maker::make_root() {
  const bool lost = !is_there(path(file::root)) && !is_there(path(file::root_key));
  for (const char* below : {file::server_ca, file::server}) {
    if (lost && is_there(path(below))) {
      return wrong(path(file::root),
                   "it is gone, and its key too, but " + path(below) + " is there", new_root);
    }
  }
  return self_signed(Profile::root, file::root, file::root_key, "Gnomon root CA", new_root);
}

Result<std::optional<Authority>> Maker::read_server_ca(const Keyed& root) {
  const std::string at = path(file::server_ca);
  if (!is_there(at)) return std::optional<Authority>();
  auto key = read_key(at, new_server_ca);
  if (!key) return key.error();
  auto chain = read_chain(at, new_server_ca);
  if (!chain) return chain.error();
  const Certificate& certificate = chain->front();
  if (!(key->public_key() == certificate.public_key()))
    return wrong(at, "its key is not that of its certificate", new_server_ca);
  if (!certificate.issued_by(root.certificate))
    return wrong(at, "it was not issued by " + path(file::root), new_server_ca);
  return std::optional(Authority{certificate, std::move(*key)});
}

Result<Authority> Maker::make_server_ca(const Keyed& root) {
  auto known = read_server_ca(root);
  if (!known) return known.error();
  if (*known && domains((*known)->certificate.permitted_names()) == domains(names_)) return **known;
  if (!root.key) {
    return wrong(path(file::root_key),
                 "it is needed to certify the names of the server, which are new",
                 "put it back for one start, or set `names` as they were");
  }
  const PrivateKey key = PrivateKey::generate_ec_p256();
  auto made =
      crypto::issue({Profile::server_ca, "Gnomon server CA " + key.public_key().id().substr(0, 8),
                     names_, authority_begin, root.certificate.not_after()},
                    key.public_key(), {root.certificate, *root.key}, random_);
  if (!made) return wrong(path(file::server_ca), made.error().message, new_root);
  if (auto written = write(file::server_ca, key.to_pem() + made->to_pem()); !written)
    return written.error();
  return Authority{*made, key};
}

// Only whether the file is one of ours; whether it still holds is another question.
Result<std::optional<Maker::Server>> Maker::read_server(const Keyed& root) {
  const std::string at = path(file::server);
  if (!is_there(at)) return std::optional<Server>();
  auto key = read_key(at, new_server);
  if (!key) return key.error();
  auto chain = read_chain(at, new_server);
  if (!chain) return chain.error();
  if (!(key->public_key() == chain->front().public_key()))
    return wrong(at, "its key is not that of its certificate", new_server);
  if (chain->size() != 2 || !(*chain)[0].issued_by((*chain)[1]) ||
      !(*chain)[1].issued_by(root.certificate)) {
    return wrong(at, "it does not lead to " + path(file::root), new_server);
  }
  return std::optional(Server{std::move(*key), (*chain)[0], (*chain)[1]});
}

WallTime Maker::renew_at(const Server& server) const {
  // No later one can be had.
  if (server.certificate.not_after() == server.authority.not_after()) return {INT64_MAX};
  return server.certificate.not_after() + -server_rest;
}

bool Maker::holds(const Server& server, const Authority& authority) const {
  return server.authority == authority.certificate && names_of(server.certificate) == names_ &&
         now_ >= server.certificate.not_before() && now_ < renew_at(server);
}

Result<Maker::Server> Maker::make_server(const Keyed& root, const Authority& authority) {
  auto known = read_server(root);
  if (!known) return known.error();
  if (*known && holds(**known, authority)) return std::move(**known);
  const PrivateKey key = PrivateKey::generate_ec_p256();
  const WallTime until = std::min(now_ + server_life, authority.certificate.not_after());
  const WallTime from = std::min(now_, until) + -slow_clock;
  auto made = crypto::issue({Profile::server, "Gnomon server", names_, from, until},
                            key.public_key(), authority, random_);
  if (!made) return wrong(path(file::server), made.error().message, new_server);
  const std::string text = key.to_pem() + made->to_pem() + authority.certificate.to_pem();
  if (auto written = write(file::server, text); !written) return written.error();
  return Server{key, *made, authority.certificate};
}

Result<Material> Maker::make() {
  auto root = make_root();
  if (!root) return root.error();
  // Read before anything is made for it, so that a file of somebody else's changes nothing.
  if (auto known = read_server(*root); !known) return known.error();
  auto authority = make_server_ca(*root);
  if (!authority) return authority.error();
  auto server = make_server(*root, *authority);
  if (!server) return server.error();
  auto devices = self_signed(Profile::device_ca, file::device_ca, file::device_ca_key,
                             "Gnomon device CA", new_devices);
  if (!devices) return devices.error();
  return Material{path(file::root),     root->certificate,
                  server->certificate,  server->certificate.to_pem() + server->authority.to_pem(),
                  server->key.to_pem(), devices->certificate,
                  devices->key,         renew_at(*server)};
}

Error not_made(const std::string& path) {
  return {Code::not_found, path +
                               " is not there. The first start of \"gnomon serve\" makes it; "
                               "name the data folder of the server (--data)"};
}

}  // namespace

void warn_if_open(const std::string& path) {
  using std::filesystem::perms;
  std::error_code failed;
  const perms rights = std::filesystem::status(path, failed).permissions();
  if (!failed && (rights & (perms::group_all | perms::others_all)) != perms::none)
    log_warn("key_open_to_others", {{"path", path}, {"remedy", "chmod 600 " + path}});
}

Result<std::vector<std::string>> server_names(const std::string& host_name,
                                              const std::vector<std::string>& more) {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  if (auto host = crypto::server_name(host_name)) names.push_back(*host);
  for (const std::string& given : more) {
    auto name = crypto::server_name(given);
    if (!name) return Error{Code::invalid, "\"" + given + "\": " + name.error().message};
    names.push_back(*name);
  }
  names = sorted(std::move(names));
  if (names.size() <= limits::server_names_max) return names;
  return Error{Code::invalid,
               "more than " + std::to_string(limits::server_names_max) + " names with our own"};
}

Result<Material> make_material(const std::string& folder, const std::vector<std::string>& names,
                               WallTime now, Random& random, const WriteFile& write) {
  const auto durably = [](const std::string& path, std::string_view text) {
    return store::write_file(path, text);
  };
  return Maker(folder, names, now, random, write ? write : durably).make();
}

Result<Authority> read_device_authority(const std::string& folder) {
  if (!is_there(folder + file::device_ca)) return not_made(folder + file::device_ca);
  auto keyed = read_keyed(folder + file::device_ca, folder + file::device_ca_key, new_devices);
  if (!keyed) return keyed.error();
  if (!keyed->key) {
    return wrong(folder + file::device_ca_key, "it is gone, and nothing can be signed without it",
                 new_devices);
  }
  return Authority{keyed->certificate, *keyed->key};
}

Result<std::string> read_root(const std::string& folder) {
  const std::string path = folder + file::root;
  if (!is_there(path)) return not_made(path);
  auto chain = read_chain(path, new_root);
  if (!chain) return chain.error();
  return chain->front().to_pem();
}

}  // namespace gnomon::server
