// The table of settings: what `gnomon serve` can be told, where, and what it means. The loader, the
// command line's --help, check-config and the documentation read this one table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace gnomon::server {

struct Setting {
  enum class Form : std::uint8_t { text, integer, boolean };  // how the file writes it

  std::string_view key;    // "threads.shards", as in the file
  std::string_view flag;   // "listen-mqtt"; empty: none
  std::string_view value;  // the placeholder in help: "ADDRESS"
  std::string_view help;   // one sentence, without a full stop
  Form form = Form::text;
  // Stores `text` in the configuration; returns "" or what is allowed instead ("must be …").
  std::string (*read)(Config& config, std::string_view text) = nullptr;
  // What read() would take to arrive at this configuration.
  std::string (*show)(const Config& config) = nullptr;
};

// All of them, in the order in which help lists them.
[[nodiscard]] std::span<const Setting> settings();
// What is wrong about this configuration although each setting may be what it is: the setting's
// key, and what is the matter.
struct Clash {
  std::string_view key;
  std::string what;
};
[[nodiscard]] std::vector<Clash> clashes(const Config& config);
// The environment variable of a setting: "GNOMON_THREADS_SHARDS".
[[nodiscard]] std::string variable(const Setting& setting);

}  // namespace gnomon::server
