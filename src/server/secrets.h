// The secrets of a data folder: the access key that AWS's clients sign with, and the key under
// which other secrets are kept. Made by the first start, found there by later ones and by commands.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "server/material.h"

namespace gnomon::server {

namespace secrets_file {
constexpr const char* access_key = "/access-key.json";  // {"AccessKeyId":…,"SecretAccessKey":…}
constexpr const char* master_key = "/master.key";       // 32 bytes
}  // namespace secrets_file

// The variables that stand for access-key.json: both or neither.
constexpr const char* access_key_id_variable = "GNOMON_ACCESS_KEY_ID";
constexpr const char* secret_access_key_variable = "GNOMON_SECRET_ACCESS_KEY";

struct AccessKey {
  std::string id;      // "AKIA" and 16 of A-Z 2-7, or as it was given: 1 to 128 of A-Z a-z 0-9 _
  std::string secret;  // 40 characters of base64, or as it was given: 1 to 128 that can be seen
};

// Secrets: a value.
struct Secrets {
  std::string access_key_id, secret;  // of the account's root
  std::array<std::uint8_t, 32> master_key{};
};

// The pair that the environment gives; nothing: neither variable is set. One that is empty counts
// as not set. Errors: invalid (one without the other, or what cannot be one).
using Variables = std::function<std::optional<std::string>(const std::string& name)>;
Result<std::optional<AccessKey>> given_access_key(const Variables& environment);

// The folder's access key, the environment's if it has one. Reads only: a server may be running.
// Errors: as above; not_found (the message says what makes it), unavailable (damaged).
Result<AccessKey> read_access_key(const std::string& folder, const Variables& environment);

// The folder's secrets, made where they are missing. With a pair in the environment
// access-key.json is neither read nor made. `master_key`: a file elsewhere (the setting
// secrets.master_key), which is never made; "": the folder's. What is damaged stays as it is.
// Owner: whoever holds the folder's lock. Blocks for the disk.
// Errors: invalid (the environment), unavailable, with the file and the remedy.
Result<Secrets> make_secrets(const std::string& folder, const std::string& master_key,
                             const Variables& environment, Random& random,
                             const WriteFile& write = {});

}  // namespace gnomon::server
