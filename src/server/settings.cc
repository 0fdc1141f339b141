#include "server/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "crypto/issue.h"
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

// A listener that anyone who reaches it may use without an identity: on loopback only, because
// beyond it every connection needs one (DESIGN §5.3). Host names are not looked up here, so only
// the one whose meaning is fixed is taken.
std::string read_loopback(std::string& listener, std::string_view text,
                          std::string_view otherwise) {
  if (text == "off") {
    listener = "off";
    return "";
  }
  auto address = runtime::parse_address(text);
  if (!address) return "must be HOST:PORT or off (" + address.error().message + ")";
  if (address->host == "localhost") address->host = "127.0.0.1";
  if (!runtime::is_loopback(*address))
    return "must be a loopback address such as 127.0.0.1:" + std::to_string(address->port) + ": " +
           std::string(otherwise);
  listener = runtime::to_string(*address);
  return "";
}

// A listener of a later version: it can be switched off, and that is all.
std::string read_unbuilt(Config&, std::string_view text) {
  return text == "off" ? "" : "must be off: this listener is not built yet";
}
std::string show_off(const Config&) { return "off"; }

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
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find_first_of(", "));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    auto name = crypto::server_name(part);
    if (!name) return '"' + std::string(part) + "\" " + name.error().message;
    names.push_back(std::move(*name));
  }
  // The host name is not known here, and may be one of them.
  if (auto all = server_names("", names); !all) return "must be fewer: " + all.error().message;
  config.names = std::move(names);
  return "";
}
std::string show_names(const Config& config) {
  std::string text;
  for (const std::string& name : config.names) text += (text.empty() ? "" : ",") + name;
  return text;
}

std::string read_partitions(Config& config, std::string_view text) {
  const bool zero = read_number(config.partitions, text, 0, 0).empty();
  return zero ? "" : "must be 0: partitions on threads of their own are not built yet";
}

constexpr auto table = std::to_array<Setting>({
    {"data", "data", "DIR", "Folder for everything that is kept; made with mode 0700", Form::text,
     read_data, [](const Config& c) { return c.data; }},
    {"listen.mqtt", "listen-mqtt", "ADDRESS",
     "Plain MQTT: HOST:PORT on loopback (port 0: any), off", Form::text,
     [](Config& c, std::string_view text) {
       return read_loopback(c.listen_mqtt, text,
                            "plain MQTT beyond it needs passwords, which are not built yet");
     },
     [](const Config& c) { return c.listen_mqtt; }},
    {"listen.mqtts", "listen-mqtts", "ADDRESS", "MQTT over TLS: not built yet, only off",
     Form::text, read_unbuilt, show_off},
    {"listen.https", "listen-https", "ADDRESS", "HTTPS: not built yet, only off", Form::text,
     read_unbuilt, show_off},
    {"listen.http", "listen-http", "ADDRESS", "HTTP and WebSocket: not built yet, only off",
     Form::text, read_unbuilt, show_off},
    {"listen.admin", "listen-admin", "ADDRESS",
     "Metrics, health, gnomon clients: HOST:PORT on loopback (port 0: any), off", Form::text,
     [](Config& c, std::string_view text) {
       return read_loopback(c.listen_admin, text,
                            "beyond it every connection needs an identity, which is not built yet");
     },
     [](const Config& c) { return c.listen_admin; }},
    {"local", "", "BOOL", "Let connections over loopback in, as the principal `local`",
     Form::boolean, [](Config& c, std::string_view text) { return booleans.read(c.local, text); },
     [](const Config& c) { return booleans.show(c.local); }},
    {"compat", "compat", "mqtt|aws",
     "Follow the MQTT specification, or do as AWS IoT does, with its limits and quotas", Form::text,
     [](Config& c, std::string_view text) { return compats.read(c.compat, text); },
     [](const Config& c) { return compats.show(c.compat); }},
    {"durability", "durability", "disk|memory",
     "What an acknowledgement means: on the disk, or only in memory and gone with the process",
     Form::text,
     [](Config& c, std::string_view text) { return durabilities.read(c.durability, text); },
     [](const Config& c) { return durabilities.show(c.durability); }},
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
    {"will.grace", "", "SECONDS",
     "How long after a restart wills of clients that have not returned are held", Form::integer,
     [](Config& c, std::string_view text) {
       return read_number(c.will_grace_seconds, text, 0U, 86'400U);
     },
     [](const Config& c) { return std::to_string(c.will_grace_seconds); }},
    {"names", "", "NAME,…",
     "Names and addresses for the server's certificate, beside localhost and the host name",
     Form::text, read_names, show_names},
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

std::string variable(const Setting& setting) {
  std::string name = "GNOMON_";
  for (const char c : setting.key) {
    const bool lower = c >= 'a' && c <= 'z';
    name += lower ? static_cast<char>(c - 'a' + 'A') : c == '.' ? '_' : c;
  }
  return name;
}

}  // namespace gnomon::server
