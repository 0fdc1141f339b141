#include "server/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "crypto/issue.h"
#include "net/address_range.h"
#include "runtime/loop.h"
#include "server/material.h"

namespace gnomon::server {
namespace {

using Form = Setting::Form;

// A whole number from `least` to `most`.
template <class T>
std::string read_number(T& number, std::string_view text, T least, T most) {
  T parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size() || parsed < least || parsed > most)
    return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  number = parsed;
  return "";
}

// HOST:PORT with an address, or off. Host names are not looked up here, so only the one whose
// meaning is fixed is taken.
std::string read_listener(std::string& listener, std::string_view text) {
  if (text == "off") {
    listener = "off";
    return "";
  }
  auto address = runtime::parse_address(text);
  if (!address) return "must be HOST:PORT or off (" + address.error().message + ")";
  if (address->host == "localhost") address->host = "127.0.0.1";
  if (!crypto::is_address(address->host)) {
    return "must have an address for HOST, such as 0.0.0.0:" + std::to_string(address->port);
  }
  listener = runtime::to_string(*address);
  return "";
}

// A listener that anyone who reaches it may use without an identity: on loopback only (DESIGN
// §5.3).
std::string read_admin(Config& config, std::string_view text) {
  std::string listener;
  if (std::string wrong = read_listener(listener, text); !wrong.empty()) return wrong;
  if (listener != "off" && !runtime::is_loopback(*runtime::parse_address(listener))) {
    return "must be a loopback address such as 127.0.0.1:8080: whoever reaches it may do all";
  }
  config.listen_admin = std::move(listener);
  return "";
}

// The members of "a, b c".
std::vector<std::string_view> members(std::string_view text) {
  std::vector<std::string_view> all;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find_first_of(", "));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (!part.empty()) all.push_back(part);
  }
  return all;
}
std::string show_members(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& each : all) text += (text.empty() ? "" : ",") + each;
  return text;
}

std::string read_https(Config& config, std::string_view text) {
  std::vector<std::string> listeners;
  if (text != "off") {
    for (const std::string_view part : members(text)) {
      std::string& listener = listeners.emplace_back();
      if (part == "off") return "must be addresses, or only off";
      if (std::string wrong = read_listener(listener, part); !wrong.empty()) return wrong;
    }
    if (listeners.empty()) return "must be HOST:PORT, several with commas, or off";
    if (listeners.size() > limits::https_listeners_max) {
      return "must be at most " + std::to_string(limits::https_listeners_max) + " addresses";
    }
  }
  config.listen_https = std::move(listeners);
  return "";
}
std::string show_https(const Config& config) {
  return config.listen_https.empty() ? "off" : show_members(config.listen_https);
}

constexpr std::array<std::string_view, doors> door_names{"mqtt", "mqtts", "https", "http"};

std::string read_behind_proxy(Config& config, std::string_view text) {
  std::array<bool, doors> behind{};
  for (const std::string_view part : members(text)) {
    const auto at = std::find(door_names.begin(), door_names.end(), part);
    if (at == door_names.end()) {
      return '"' + std::string(part) + "\" must be one of mqtt, mqtts, https, http";
    }
    behind[static_cast<std::size_t>(at - door_names.begin())] = true;
  }
  config.behind_proxy = behind;
  return "";
}
std::string show_behind_proxy(const Config& config) {
  std::string text;
  for (std::size_t i = 0; i < doors; ++i) {
    if (config.behind_proxy[i]) (text += text.empty() ? "" : ",") += door_names[i];
  }
  return text;
}

std::string read_trusted(Config& config, std::string_view text) {
  std::vector<std::string> ranges;
  for (const std::string_view part : members(text)) {
    if (const auto range = net::AddressRange::parse(part); !range) return range.error().message;
    ranges.emplace_back(part);
  }
  config.proxy_trusted = std::move(ranges);
  return "";
}

std::string read_hosts(Config& config, std::string_view text) {
  std::vector<std::string> hosts;
  for (const std::string_view part : members(text)) {
    if (part == "*") {
      hosts.emplace_back(part);
      continue;
    }
    auto name = crypto::server_name(part);
    if (!name) return '"' + std::string(part) + "\" " + name.error().message;
    hosts.push_back(std::move(*name));
  }
  config.hosts = std::move(hosts);
  return "";
}

std::string read_origins(Config& config, std::string_view text) {
  std::vector<std::string> origins;
  for (const std::string_view part : members(text)) {
    const std::size_t scheme = part.find("://");
    const bool whole = scheme != std::string_view::npos && scheme > 0 && part.size() > scheme + 3 &&
                       part.find('/', scheme + 3) == std::string_view::npos;
    if (part != "*" && !whole) {
      return '"' + std::string(part) + "\" must be SCHEME://HOST or SCHEME://HOST:PORT, or *";
    }
    origins.emplace_back(part);
  }
  config.origins = std::move(origins);
  return "";
}

template <class E, std::size_t N>
struct Words {
  struct Word {
    std::string_view text;
    E value;
  };
  std::array<Word, N> words;

  std::string read(E& value, std::string_view text) const {
    std::string allowed;
    for (const Word& word : words) {
      if (word.text == text) {
        value = word.value;
        return "";
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string(word.text);
    }
    return "must be one of " + allowed;
  }
  std::string show(E value) const {
    for (const Word& word : words)
      if (word.value == value) return std::string(word.text);
    return "";
  }
};

constexpr Words<bool, 2> booleans{{{{"true", true}, {"false", false}}}};
constexpr Words<LogLevel, 5> log_levels{{{{"debug", LogLevel::debug},
                                          {"info", LogLevel::info},
                                          {"warn", LogLevel::warn},
                                          {"error", LogLevel::error},
                                          {"off", LogLevel::off}}}};
constexpr Words<LogFormat, 2> log_formats{{{{"text", LogFormat::text}, {"json", LogFormat::json}}}};
constexpr Words<Compat, 2> compats{{{{"mqtt", Compat::mqtt}, {"aws", Compat::aws}}}};
constexpr Words<Durability, 2> durabilities{
    {{{"disk", Durability::disk}, {"memory", Durability::memory}}}};

std::string read_data(Config& config, std::string_view text) {
  if (text.empty()) return "must name a folder";
  config.data = text;
  return "";
}

std::string read_account(Config& config, std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.size() != 12 || !digits) return "must be twelve digits, such as 123456789012";
  config.account = text;
  return "";
}

// As AWS names them; in ARNs, host names and signatures.
std::string read_region(Config& config, std::string_view text) {
  const bool letters = std::ranges::all_of(
      text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (text.empty() || text.size() > 32 || !letters || text.front() == '-' || text.back() == '-')
    return "must be 1 to 32 of a-z 0-9 -, such as us-east-1";
  config.region = text;
  return "";
}

std::string show_expiry(const Config& config) {
  const auto& seconds = config.session_expiry_max_seconds;
  return seconds ? std::to_string(*seconds) : "auto";
}
std::string read_expiry(Config& config, std::string_view text) {
  if (text == "auto") {
    config.session_expiry_max_seconds.reset();
    return "";
  }
  std::uint32_t seconds = 0;
  if (std::string wrong = read_number(seconds, text, 0U, limits::session_expiry_never);
      !wrong.empty()) {
    return wrong;
  }
  config.session_expiry_max_seconds = seconds;
  return "";
}

std::string read_reserve(Config& config, std::string_view text) {
  if (text == "auto") {
    config.disk_reserve_bytes.reset();
    return "";
  }
  std::uint64_t bytes = 0;
  if (!read_number(bytes, text, std::uint64_t{0}, std::uint64_t{1} << 50).empty()) {
    return "must be auto or a number of bytes";
  }
  config.disk_reserve_bytes = bytes;
  return "";
}
std::string show_reserve(const Config& config) {
  return config.disk_reserve_bytes ? std::to_string(*config.disk_reserve_bytes) : "auto";
}

std::string read_names(Config& config, std::string_view text) {
  std::vector<std::string> names;
  for (const std::string_view part : members(text)) {
    auto name = crypto::server_name(part);
    if (!name) return '"' + std::string(part) + "\" " + name.error().message;
    names.push_back(std::move(*name));
  }
  // The host name is not known here, and may be one of them.
  if (auto all = server_names("", names); !all) return "must be fewer: " + all.error().message;
  config.names = std::move(names);
  return "";
}

std::string read_partitions(Config& config, std::string_view text) {
  const bool zero = read_number(config.partitions, text, 0, 0).empty();
  return zero ? "" : "must be 0: partitions on threads of their own are not built yet";
}

constexpr auto table = std::to_array<Setting>({
    {"data", "data", "DIR", "Folder for everything that is kept; made with mode 0700", Form::text,
     read_data, [](const Config& c) { return c.data; }},
    {"listen.mqtt", "listen-mqtt", "ADDRESS",
     "Plain MQTT: HOST:PORT (port 0: any), off; beyond loopback only with passwords", Form::text,
     [](Config& c, std::string_view text) { return read_listener(c.listen_mqtt, text); },
     [](const Config& c) { return c.listen_mqtt; }},
    {"listen.mqtts", "listen-mqtts", "ADDRESS", "MQTT over TLS; HTTPS too, for clients that ask so",
     Form::text,
     [](Config& c, std::string_view text) { return read_listener(c.listen_mqtts, text); },
     [](const Config& c) { return c.listen_mqtts; }},
    {"listen.https", "listen-https", "ADDRESS,…",
     "HTTPS, WebSocket at /mqtt; MQTT too, for clients that ask so", Form::text, read_https,
     show_https},
    {"listen.http", "listen-http", "ADDRESS", "HTTP, WebSocket at /mqtt", Form::text,
     [](Config& c, std::string_view text) { return read_listener(c.listen_http, text); },
     [](const Config& c) { return c.listen_http; }},
    {"listen.admin", "listen-admin", "ADDRESS",
     "Metrics, health, gnomon clients: HOST:PORT on loopback (port 0: any), off", Form::text,
     read_admin, [](const Config& c) { return c.listen_admin; }},
    {"local", "", "BOOL", "Let connections over loopback in, as the principal `local`",
     Form::boolean, [](Config& c, std::string_view text) { return booleans.read(c.local, text); },
     [](const Config& c) { return booleans.show(c.local); }},
    {"passwords", "", "FILE", "Users and their passwords, as gnomon passwd makes them", Form::text,
     [](Config& c, std::string_view text) {
       c.passwords = text;
       return std::string();
     },
     [](const Config& c) { return c.passwords; }},
    {"tls.certificate", "", "FILE",
     "The server's certificate and what leads to its root, PEM, instead of one made by the server",
     Form::text,
     [](Config& c, std::string_view text) {
       c.tls_certificate = text;
       return std::string();
     },
     [](const Config& c) { return c.tls_certificate; }},
    {"tls.key", "", "FILE", "Its key, PEM", Form::text,
     [](Config& c, std::string_view text) {
       c.tls_key = text;
       return std::string();
     },
     [](const Config& c) { return c.tls_key; }},
    {"secrets.master_key", "", "FILE",
     "32 bytes under which secrets are kept, in place of master.key in the data folder", Form::text,
     [](Config& c, std::string_view text) {
       c.master_key = text;
       return std::string();
     },
     [](const Config& c) { return c.master_key; }},
    {"hosts", "", "NAME,…",
     "Names in HTTP's Host header, beside localhost, the host name and names", Form::text,
     read_hosts, [](const Config& c) { return show_members(c.hosts); }},
    {"origins", "", "ORIGIN,…", "Web pages that may connect: https://app.example.com, or *",
     Form::text, read_origins, [](const Config& c) { return show_members(c.origins); }},
    {"proxy.listeners", "", "mqtt,…",
     "Listeners behind a proxy that speaks the PROXY protocol; they take no other connections",
     Form::text, read_behind_proxy, show_behind_proxy},
    {"proxy.trusted", "", "ADDRESS,…", "Where that proxy connects from: addresses, 10.0.0.0/8",
     Form::text, read_trusted, [](const Config& c) { return show_members(c.proxy_trusted); }},
    {"account", "", "ID",
     "The account in ARNs: twelve digits; a folder keeps that of its first start", Form::text,
     read_account, [](const Config& c) { return c.account; }},
    {"region", "", "NAME", "The region in ARNs; a folder keeps that of its first start", Form::text,
     read_region, [](const Config& c) { return c.region; }},
    {"endpoint.domain", "", "NAME",
     "Where devices find this server: the name that DescribeEndpoint tells", Form::text,
     [](Config& c, std::string_view text) {
       auto name = crypto::server_name(text);
       if (!name) return name.error().message;
       c.endpoint_domain = std::move(*name);
       return std::string();
     },
     [](const Config& c) { return c.endpoint_domain; }},
    {"compat", "compat", "mqtt|aws",
     "Follow the MQTT specification, or do as AWS IoT does, with its limits and quotas", Form::text,
     [](Config& c, std::string_view text) { return compats.read(c.compat, text); },
     [](const Config& c) { return compats.show(c.compat); }},
    {"durability", "durability", "disk|memory",
     "What an acknowledgement means: on the disk, or only in memory and gone with the process",
     Form::text,
     [](Config& c, std::string_view text) { return durabilities.read(c.durability, text); },
     [](const Config& c) { return durabilities.show(c.durability); }},
    {"memory.messages", "", "BYTES",
     "Memory for messages that clients have not taken yet; from half of it on fast publishers "
     "wait, "
     "beyond it they are refused (0x97)",
     Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.held_bytes_max, text, std::uint64_t{MiB}, std::uint64_t{1} << 40);
     },
     [](const Config& c) { return std::to_string(c.held_bytes_max); }},
    {"store.memory", "", "BYTES", "Memory for the store's caches and buffers", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.store_memory_bytes, text, std::uint64_t{16 * MiB},
                          std::uint64_t{1} << 40);
     },
     [](const Config& c) { return std::to_string(c.store_memory_bytes); }},
    {"disk.reserve", "", "BYTES|auto",
     "Free space below which nothing new is kept; auto: 1 GiB or 5 % of the disk, the smaller",
     Form::text, read_reserve, show_reserve},
    {"session.expiry_max", "", "SECONDS",
     "How long a session outlives its connection at most; what 3.1.1 clients get. 4294967295: for "
     "ever; by itself 604800, with compat = \"aws\" 3600",
     Form::integer, read_expiry, show_expiry},
    {"session.messages_max", "", "N", "Messages queued for one session; beyond it: 0x97",
     Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.session_messages_max, text, std::uint64_t{1}, std::uint64_t{1} << 40);
     },
     [](const Config& c) { return std::to_string(c.session_messages_max); }},
    {"session.bytes_max", "", "BYTES", "The same, in bytes", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.session_bytes_max, text, std::uint64_t{1}, std::uint64_t{1} << 50);
     },
     [](const Config& c) { return std::to_string(c.session_bytes_max); }},
    {"shadow.bytes_max", "", "BYTES", "Size of a device shadow's state, desired and reported",
     Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.shadow_state_bytes, text, std::uint64_t{1 * KiB},
                          std::uint64_t{limits::shadow_request_bytes});
     },
     [](const Config& c) { return std::to_string(c.shadow_state_bytes); }},
    {"shadow.depth_max", "", "N", "How deep objects in it may be inside each other", Form::integer,
     [](Config& c, std::string_view text) { return read_number(c.shadow_depth, text, 1U, 32U); },
     [](const Config& c) { return std::to_string(c.shadow_depth); }},
    {"will.grace", "", "SECONDS",
     "How long after a restart wills of clients that have not returned are held", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.will_grace_seconds, text, 0U, 86'400U);
     },
     [](const Config& c) { return std::to_string(c.will_grace_seconds); }},
    {"sys.interval", "", "SECONDS",
     "How often what the server tells of itself under $SYS is renewed; 0: never. Not with "
     "compat = \"aws\"",
     Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.sys_interval_seconds, text, 0U, 86'400U);
     },
     [](const Config& c) { return std::to_string(c.sys_interval_seconds); }},
    {"limits.connect_timeout", "", "SECONDS",
     "How long a connection may take to its CONNECT, and before that for TLS", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.connect_timeout_seconds, text, 1U, 3600U);
     },
     [](const Config& c) { return std::to_string(c.connect_timeout_seconds); }},
    {"limits.http_idle", "", "SECONDS",
     "How long HTTP waits for a request's head, and for the next request", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.http_idle_seconds, text, 1U, 3600U);
     },
     [](const Config& c) { return std::to_string(c.http_idle_seconds); }},
    {"names", "", "NAME,…",
     "Names and addresses for the server's certificate, beside localhost and the host name",
     Form::text, read_names, [](const Config& c) { return show_members(c.names); }},
    {"threads.shards", "", "N", "Event loops that share the connections; 0: one per core",
     Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.shards, text, 0, limits::shards_max);
     },
     [](const Config& c) { return std::to_string(c.shards); }},
    {"threads.partitions", "", "N", "Threads of durable state; only 0 (on the shards) for now",
     Form::integer, read_partitions, [](const Config& c) { return std::to_string(c.partitions); }},
    {"log.level", "", "LEVEL",
     "What the log on standard error tells: debug, info, warn, error, off", Form::text,
     [](Config& c, std::string_view text) { return log_levels.read(c.log_level, text); },
     [](const Config& c) { return log_levels.show(c.log_level); }},
    {"log.format", "", "text|json", "How it is written: lines of text, or objects of JSON",
     Form::text,
     [](Config& c, std::string_view text) { return log_formats.read(c.log_format, text); },
     [](const Config& c) { return log_formats.show(c.log_format); }},
    {"drain_ms", "", "MS", "How long SIGTERM waits for clients to take what is on its way to them",
     Form::integer,
     [](Config& c, std::string_view text) { return read_number(c.drain_ms, text, 0, 600'000); },
     [](const Config& c) { return std::to_string(c.drain_ms); }},
});

}  // namespace

std::span<const Setting> settings() { return table; }

std::vector<Clash> clashes(const Config& config) {
  std::vector<Clash> all;
  if (config.listen_mqtt != "off" && config.passwords.empty() &&
      !runtime::is_loopback(*runtime::parse_address(config.listen_mqtt))) {
    all.push_back({"listen.mqtt",
                   "plain MQTT beyond loopback needs passwords: set passwords, or use a loopback "
                   "address such as 127.0.0.1:1883"});
  }
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    const bool key = config.tls_certificate.empty();
    all.push_back({key ? "tls.key" : "tls.certificate",
                   std::string("needs ") + (key ? "tls.certificate" : "tls.key") + ", too"});
  }
  if (config.behind_proxy != std::array<bool, doors>{} && config.proxy_trusted.empty()) {
    all.push_back({"proxy.listeners", "needs proxy.trusted: where the proxy connects from"});
  }
  return all;
}

std::string variable(const Setting& setting) {
  std::string name = "GNOMON_";
  for (const char c : setting.key) {
    const bool lower = c >= 'a' && c <= 'z';
    name += lower ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
  }
  return name;
}

}  // namespace gnomon::server
