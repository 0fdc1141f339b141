// What first start makes in the data folder, and later ones find there: the keys and certificates
// of the server and of the authority for devices (docs/decisions/0014-first-start-material.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/issue.h"

namespace gnomon::server {

// The files, all with mode 0600. What has "private" or "key" in its name is to be given to nobody.
namespace material_file {
constexpr const char* root = "/root-ca.pem";      // what devices trust
constexpr const char* root_key = "/root-ca.key";  // may be kept elsewhere until names change
constexpr const char* server_ca = "/server-ca.private.pem";  // key, certificate
constexpr const char* server = "/server.private.pem";        // key, certificate, server CA's
constexpr const char* device_ca = "/device-ca.pem";
constexpr const char* device_ca_key = "/device-ca.key";
}  // namespace material_file

// Material: a value; what a TLS listener and the identities need.
struct Material {
  std::string root_path;
  crypto::Certificate root;
  crypto::Certificate server;
  std::string server_chain;  // PEM: the server's certificate, then its authority's
  std::string server_key;    // PEM
  crypto::Certificate device_ca;
  std::optional<crypto::PrivateKey> device_ca_key;  // nothing: it is kept elsewhere
  WallTime renew_at;  // from then on make_material() makes a new server certificate
};

// The names of the server's certificate: localhost, the host name (left out if it is no DNS name),
// 127.0.0.1, ::1 and those of the setting `names`, each once. Errors: invalid (one of `more`).
Result<std::vector<std::string>> server_names(const std::string& host_name,
                                              const std::vector<std::string>& more);

// Writes a file durably, all or nothing, mode 0600; for tests to fail in between.
using WriteFile = std::function<Result<void>(const std::string& path, std::string_view text)>;

// Warns of a secret that others than its owner may read.
void warn_if_open(const std::string& path);

// Makes what is not there, renews the server's certificate when its names are others, two thirds of
// its life are over or the clock stands before its time, and returns what holds now. Interrupted
// anywhere it goes on when it is called again. A file that is damaged, does not fit the others or
// is not ours stays as it is. `now`: what the wall clock shows. Blocks for the disk.
// Owner: whoever holds the folder's lock; one at a time.
// Errors: unavailable, with the file and the remedy.
Result<Material> make_material(const std::string& folder, const std::vector<std::string>& names,
                               WallTime now, Random& random, const WriteFile& write = {});

// The folder's authority for devices. Reads only: a server may be running. Errors: not_found (the
// folder or its files are not there; the message says what makes them), unavailable.
Result<crypto::Authority> read_device_authority(const std::string& folder);
// The root certificate of the folder, in PEM. Errors: as above.
Result<std::string> read_root(const std::string& folder);

}  // namespace gnomon::server
