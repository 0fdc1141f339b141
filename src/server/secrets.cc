#include "server/secrets.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"
#include "crypto/base64.h"
#include "json/json.h"
#include "store/durable_file.h"

namespace gnomon::server {

namespace {

constexpr std::size_t access_key_file_bytes_max = 4 * KiB;
constexpr std::size_t key_text_bytes_max = 128;  // AWS: an id has 16 to 128

const std::string new_access_key =
    "put back the one that belongs there, or remove it, and the next start makes a new key, which "
    "every client must be given";
const std::string old_master_key =
    "put back the one that belongs there: secrets that were kept under it cannot be read with "
    "another one";

Error wrong(const std::string& path, const std::string& why, const std::string& remedy) {
  return {Code::unavailable, path + ": " + why + "; " + remedy};
}

bool is_there(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(std::filesystem::symlink_status(path, failed));
}

// What is wrong about a key that somebody has written, or "".
std::string check(const AccessKey& key) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const auto visible = [](char c) { return c > ' ' && c <= '~'; };
  if (key.id.empty() || key.id.size() > key_text_bytes_max || !std::ranges::all_of(key.id, word))
    return "the access key id must be 1 to 128 of A-Z a-z 0-9 _";
  if (key.secret.empty() || key.secret.size() > key_text_bytes_max ||
      !std::ranges::all_of(key.secret, visible)) {
    return "the secret access key must be 1 to 128 characters of ASCII, without blanks";
  }
  return "";
}

std::string string_member(const boost::json::value& document, std::string_view name) {
  const auto* object = document.if_object();
  const auto* member = object == nullptr ? nullptr : object->if_contains(name);
  const auto* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

Result<AccessKey> read_file_of(const std::string& path) {
  const auto text = store::read_file(path, access_key_file_bytes_max);
  if (!text) return wrong(path, text.error().message, new_access_key);
  warn_if_open(path);
  const auto document = json::parse(*text);
  if (!document) return wrong(path, document.error().message, new_access_key);
  AccessKey key{string_member(*document, "AccessKeyId"),
                string_member(*document, "SecretAccessKey")};
  if (const std::string why = check(key); !why.empty()) return wrong(path, why, new_access_key);
  return key;
}

// As AWS's look: the id in the alphabet of base32, the secret in that of base64.
AccessKey generate(Random& random) {
  constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  AccessKey key{"AKIA", ""};
  for (int i = 0; i < 16; ++i) key.id += base32[random.below(base32.size())];
  std::array<std::uint8_t, 30> bytes{};
  random.fill(bytes);
  key.secret = crypto::base64(bytes);
  return key;
}

Result<AccessKey> make_access_key(const std::string& path, Random& random, const WriteFile& write) {
  if (is_there(path)) return read_file_of(path);
  AccessKey key = generate(random);
  const std::string text = "{\"AccessKeyId\":" + json_text(key.id) +
                           ",\"SecretAccessKey\":" + json_text(key.secret) + "}\n";
  if (auto written = write(path, text); !written) return written.error();
  log_info("made", {{"file", path}});
  return key;
}

using MasterKey = decltype(Secrets::master_key);

Result<MasterKey> read_master_key(const std::string& path, const std::string& remedy) {
  MasterKey key{};
  // One byte more than it may have, so that what is longer shows.
  const auto text = store::read_file(path, key.size());
  if (!text && text.error().code != Code::invalid) return wrong(path, text.error().message, remedy);
  if (!text || text->size() != key.size()) return wrong(path, "it is not of 32 bytes", remedy);
  warn_if_open(path);
  std::ranges::copy(as_bytes(*text), key.begin());
  return key;
}

Result<MasterKey> make_master_key(const std::string& folder, const std::string& elsewhere,
                                  Random& random, const WriteFile& write) {
  if (!elsewhere.empty()) {
    return read_master_key(elsewhere,
                           "the setting secrets.master_key must name a file of 32 bytes, which "
                           "\"head -c 32 /dev/urandom\" writes; without it the folder has its own");
  }
  const std::string path = folder + secrets_file::master_key;
  if (is_there(path)) return read_master_key(path, old_master_key);
  MasterKey key{};
  random.fill(key);
  if (auto written = write(path, as_text(key)); !written) return written.error();
  log_info("made", {{"file", path}});
  return key;
}

}  // namespace

Result<std::optional<AccessKey>> given_access_key(const Variables& environment) {
  AccessKey key{environment(access_key_id_variable).value_or(""),
                environment(secret_access_key_variable).value_or("")};
  if (key.id.empty() && key.secret.empty()) return std::optional<AccessKey>();
  const std::string both =
      std::string(access_key_id_variable) + " and " + secret_access_key_variable;
  if (key.id.empty() || key.secret.empty())
    return Error{Code::invalid, both + ": only one of them is set; set both, or neither"};
  if (const std::string why = check(key); !why.empty())
    return Error{Code::invalid, both + ": " + why};
  return std::optional(std::move(key));
}

Result<AccessKey> read_access_key(const std::string& folder, const Variables& environment) {
  auto given = given_access_key(environment);
  if (!given) return given.error();
  if (*given) return std::move(**given);
  const std::string path = folder + secrets_file::access_key;
  if (is_there(path)) return read_file_of(path);
  return Error{Code::not_found, path +
                                    " is not there. The first start of \"gnomon serve\" makes it, "
                                    "unless " +
                                    access_key_id_variable + " and " + secret_access_key_variable +
                                    " are set, which must be set here too; name the data folder "
                                    "of the server (--data)"};
}

Result<Secrets> make_secrets(const std::string& folder, const std::string& master_key,
                             const Variables& environment, Random& random, const WriteFile& write) {
  const auto durably = [](const std::string& path, std::string_view text) {
    return store::write_file(path, text);
  };
  const WriteFile& writer = write ? write : WriteFile(durably);
  // What is given wrongly is told before anything is made.
  auto given = given_access_key(environment);
  if (!given) return given.error();
  const auto master = make_master_key(folder, master_key, random, writer);
  if (!master) return master.error();
  if (*given) return Secrets{(*given)->id, (*given)->secret, *master};
  const auto key = make_access_key(folder + secrets_file::access_key, random, writer);
  if (!key) return key.error();
  return Secrets{key->id, key->secret, *master};
}

}  // namespace gnomon::server
