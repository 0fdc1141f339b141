// Config: every setting of `gnomon serve`. Flag over environment over file over default.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/result.h"

namespace gnomon::server {

enum class Compat : std::uint8_t { mqtt, aws };
enum class Durability : std::uint8_t { disk, memory };
// The listeners for clients; the admin listener is another matter.
enum class Door : std::uint8_t { mqtt, mqtts, https, http };
constexpr std::size_t doors = 4;

// The table in settings.cc says what each may be and what it means.
struct Config {
  std::string data = "./gnomon-data";
  std::string listen_mqtt = "127.0.0.1:1883";  // "off": none
  std::string listen_mqtts = "0.0.0.0:8883";
  std::vector<std::string> listen_https{"0.0.0.0:8443"};  // none: off
  std::string listen_http = "127.0.0.1:4566";
  std::string listen_admin = "127.0.0.1:8080";
  bool local = true;                       // connections over loopback are the principal `local`
  std::string passwords;                   // a file; empty: none
  std::string tls_certificate, tls_key;    // files; empty: what the server has made
  std::string master_key;                  // secrets.master_key, a file; empty: the folder's
  std::array<bool, doors> behind_proxy{};  // proxy.listeners, by Door
  std::vector<std::string> proxy_trusted;  // addresses and ranges
  std::vector<std::string> hosts;          // further names in Host headers, "*.x" and "*" too
  std::vector<std::string> origins;        // pages that may connect
  std::string account = "123456789012";    // in ARNs, as region; a folder's for ever
  std::string region = "us-east-1";
  std::string endpoint_domain = "localhost";  // endpoint.domain: where devices find this server
  Compat compat = Compat::mqtt;
  Durability durability = Durability::disk;
  std::uint64_t held_bytes_max = limits::held_bytes_max;  // memory.messages
  std::uint64_t store_memory_bytes = 256 * MiB;           // store.memory
  std::optional<std::uint64_t> disk_reserve_bytes;  // disk.reserve; none: 1 GiB or 5 % of the disk
  std::optional<std::uint32_t> session_expiry_max_seconds;            // none: as `compat` has it
  std::uint64_t session_messages_max = limits::session_messages_max;  // queued for one
  std::uint64_t session_bytes_max = limits::session_bytes_max;
  std::uint64_t shadow_state_bytes = limits::shadow_state_bytes;  // shadow.bytes_max
  std::uint32_t shadow_depth = limits::shadow_depth;              // shadow.depth_max
  std::uint32_t will_grace_seconds = 30;  // after a restart, for the client to return
  std::vector<std::string> names;         // of the server's certificate and in Host, beside our own
  std::uint32_t sys_interval_seconds = 10;  // sys.interval; 0: no `$SYS`
  std::uint32_t connect_timeout_seconds = limits::connect_timeout.count();
  std::uint32_t http_idle_seconds = limits::http_idle.count();
  int shards = 0;      // threads.shards; 0: one per core
  int partitions = 0;  // threads.partitions; 0: on the shards' own threads
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  int drain_ms = 5000;  // how long SIGTERM waits for output to be taken
  bool operator==(const Config&) const = default;
};

// A setting as the user knows it: `key` in the file ("threads.shards"), `GNOMON_THREADS_SHARDS` in
// the environment, a flag for those of DESIGN §7.
struct Mistake {
  std::string where;  // "gnomon.toml:7", "GNOMON_LOCAL", "--listen-mqtt"
  std::string what;   // the value and what is allowed
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// A flag as it was given: ("listen-mqtt", "127.0.0.1:0").
struct Flag {
  std::string name, value;
};

// Puts a Config together. All mistakes are reported, not only the first: unknown keys, values out
// of range, settings that do not go together, and what this version cannot honour (partitions).
// An environment variable that is empty counts as not set.
struct Loaded {
  Config config;
  std::vector<Mistake> mistakes;
  // Where each setting came from, in the order of settings(): "default", or as Mistake::where.
  std::vector<std::string> origins;
};
Loaded load_config(const std::optional<std::string>& toml_path, const Environment& environment,
                   const std::vector<Flag>& flags);

// The same of the text of a file alone; `name` stands for its path.
Loaded load_config_text(const std::string& toml, const std::string& name);

// The variable of a setting that `variable_name` was probably meant to be; "": none is near, or it
// is far from all.
[[nodiscard]] std::string suggest_setting(std::string_view variable_name);

}  // namespace gnomon::server
