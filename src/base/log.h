// The log: one line per event to standard error, through spdlog (only log.cc knows it).
// Usage: log_info("listening", "mqtt", address); pairs of key and value after the event.
// Never on a hot path: what a client can repeat is counted in a metric and logged through
// `LogLimiter` at most a few times a minute.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gnomon {

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { text, json };

struct LogField {
  std::string_view key;
  std::string value;
  bool number = false;
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, std::int64_t v) : key(k), value(std::to_string(v)), number(true) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(std::to_string(v)), number(true) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)), number(true) {}
};

// Sets what is written from now on. Any thread; the default is info.
void set_log_level(LogLevel level);
// Chooses lines of text (the default) or of JSON: {"time":"…","level":"info","event":"…","key":…}.
// Any thread; what others write meanwhile may come out either way.
void set_log_format(LogFormat format);
[[nodiscard]] bool log_enabled(LogLevel level);

// `event key=value …`, as log() writes it behind time and level. Values with spaces, quotes or
// control characters are quoted and escaped and long ones cut, so that no client can forge a line
// or flood the log. `event` and the keys are our own words and go as they are.
[[nodiscard]] std::string log_text(std::string_view event, std::initializer_list<LogField> fields);

// The same as members of a JSON object, without its braces: `"event":"…","key":"value"`. Integers
// are numbers; what is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string log_json(std::string_view event, std::initializer_list<LogField> fields);

// Writes one line: time (UTC), level, log_text() or log_json(). Any thread.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::info, event, fields);
}
inline void log_warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::warn, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::error, event, fields);
}

// LogLimiter: lets `burst` events through per minute; says how many it held back.
// Owner: one thread.
class LogLimiter {
 public:
  explicit LogLimiter(int burst) : burst_(burst) {}
  // True if an event may be logged at `now`. `suppressed()` is the number held back before it.
  bool allow(Instant now);
  [[nodiscard]] std::uint64_t suppressed() const { return reported_; }

 private:
  int burst_;
  int used_ = 0;
  Instant window_{};
  std::uint64_t held_ = 0, reported_ = 0;
};

}  // namespace gnomon
