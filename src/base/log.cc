#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/escape.h"
#include "base/json_text.h"
#include "base/utf8.h"

namespace gnomon {
namespace {

// Of a longer value only the beginning is written: a client id may have 64 KiB.
constexpr std::size_t value_bytes_max = 512;

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

std::unique_ptr<spdlog::formatter> formatter(LogFormat format) {
  return std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::text ? "%Y-%m-%dT%H:%M:%S.%eZ %l %v"
                                : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
      spdlog::pattern_time_type::utc);
}

std::atomic<LogFormat> format_in_use{LogFormat::text};

// Never destroyed, so that threads still running at exit may log.
spdlog::logger& logger() {
  static spdlog::logger& instance = [&]() -> spdlog::logger& {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    auto* made = new spdlog::logger("gnomon", std::move(sink));
    made->set_formatter(formatter(LogFormat::text));
    made->set_level(spdlog::level::info);
    return *made;
  }();
  return instance;
}

void append_hex(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
}

// Appends `text` with everything escaped that could end the quotes, the line or the terminal's
// patience. True if it needs quotes.
bool append_escaped(std::string& out, std::string_view text) {
  using Kind = Piece::Kind;
  // is_mqtt_utf8 says no to U+0000 too: then every byte above ASCII is escaped, which is harmless.
  const bool utf8 = is_mqtt_utf8(text);
  bool quotes = text.empty();
  while (!text.empty()) {
    const Piece piece = first_piece(text);
    text.remove_prefix(piece.text.size());
    const bool escaped = piece.kind != Kind::plain || (piece.text.size() > 1 && !utf8);
    quotes |= escaped || piece.text == " " || piece.text == "=";
    if (!escaped) {
      out += piece.text;
    } else if (piece.kind == Kind::quote) {
      (out += '\\') += piece.text;
    } else if (piece.kind == Kind::newline) {
      out += "\\n";
    } else {
      append_hex(out, piece.text);
    }
  }
  return quotes;
}

// How much of a long value is written: not to the middle of a character, at most three bytes back.
std::size_t shown_of(std::string_view value) {
  std::size_t shown = std::min(value.size(), value_bytes_max);
  for (int i = 0; i < 3 && shown < value.size() && shown > 0; ++i) {
    if ((static_cast<unsigned char>(value[shown]) & 0xc0) != 0x80) break;
    --shown;
  }
  return shown;
}

std::string cut_mark(std::string_view value) {
  return "…(" + std::to_string(value.size()) + " bytes)";
}

void append_value(std::string& out, std::string_view value) {
  const std::size_t shown = shown_of(value);
  const std::size_t start = out.size();
  if (append_escaped(out, value.substr(0, shown))) {
    out.insert(start, 1, '"');
    out += '"';
  }
  if (shown < value.size()) out += cut_mark(value);
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(level_of(level)); }

void set_log_format(LogFormat format) {
  format_in_use = format;
  logger().set_formatter(formatter(format));
}

bool log_enabled(LogLevel level) {
  return level != LogLevel::off && logger().should_log(level_of(level));
}

std::string log_text(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

std::string log_json(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line = "\"event\":";
  append_json(line, event);
  for (const LogField& field : fields) {
    line += ',';
    append_json(line, field.key);
    line += ':';
    const std::size_t shown = shown_of(field.value);
    if (field.number) {
      line += field.value;
    } else if (shown == field.value.size()) {
      append_json(line, field.value);
    } else {
      append_json(line, field.value.substr(0, shown) + cut_mark(field.value));
    }
  }
  return line;
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  // As a view, not as a format string: braces in it mean nothing.
  const std::string line =
      format_in_use == LogFormat::text ? log_text(event, fields) : log_json(event, fields);
  logger().log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

bool LogLimiter::allow(Instant now) {
  if (now - window_ >= std::chrono::minutes(1)) {
    window_ = now;
    used_ = 0;
  }
  if (used_ >= burst_) {
    ++held_;
    return false;
  }
  ++used_;
  reported_ = std::exchange(held_, 0);
  return true;
}

}  // namespace gnomon
