#include "cli/message_format.h"

#include <array>
#include <charconv>
#include <ctime>

#include "base/json_text.h"
#include "cli/json.h"

namespace gnomon::cli {

namespace {

using mqtt::PropertyId;

constexpr std::string_view kinds = "ACDEFIJPRSUXijlmpqrtx";
constexpr int width_max = 10'000;

std::tm local_time(WallTime at) {
  const std::time_t seconds = at.ms / 1000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return parts;
}

std::string formatted_time(const char* format, WallTime at) {
  const std::tm parts = local_time(at);
  std::array<char, 256> text;
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

// Nine digits: the fraction of a second in nanoseconds.
std::string nanoseconds(WallTime at) {
  const std::string ms = std::to_string(1000 + at.ms % 1000);
  return ms.substr(1) + "000000";
}

std::string hex(ByteView bytes, const char* digits) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

// All values of a property, the parts of user properties joined by a colon.
std::string property_text(const mqtt::Publish& publish, PropertyId id) {
  std::string out;
  mqtt::PropertyReader reader(publish.properties);
  for (mqtt::Property property; reader.next(property);) {
    if (property.id != id) continue;
    if (!out.empty()) out += ' ';
    if (id == PropertyId::payload_format_indicator) {
      out += std::to_string(property.number);
    } else {
      out += property.text;
    }
    if (id == PropertyId::user_property) (out += ':') += property.text_value;
  }
  return out;
}

std::string identifiers(const mqtt::Publish& publish, const char* between) {
  std::string out;
  for (const std::uint32_t id : publish.subscription_ids) {
    (out += out.empty() ? "" : between) += std::to_string(id);
  }
  return out;
}

void append_property_json(std::string& out, const char* name, const std::string& value) {
  (out += out.back() == '{' ? "\"" : ",\"") += name;
  (out += "\":") += value;
}

std::string properties_json(const mqtt::Publish& publish) {
  std::string out = "{", users;
  if (publish.alias != 0) append_property_json(out, "topic-alias", std::to_string(publish.alias));
  if (publish.expiry_seconds) {
    append_property_json(out, "message-expiry-interval", std::to_string(*publish.expiry_seconds));
  }
  if (!publish.subscription_ids.empty()) {
    const bool one = publish.subscription_ids.size() == 1;
    const std::string ids = identifiers(publish, ",");
    append_property_json(out, "subscription-identifier", one ? ids : '[' + ids + ']');
  }
  mqtt::PropertyReader reader(publish.properties);
  for (mqtt::Property property; reader.next(property);) {
    switch (property.id) {
      case PropertyId::payload_format_indicator:
        append_property_json(out, "payload-format-indicator", std::to_string(property.number));
        break;
      case PropertyId::content_type:
        append_property_json(out, "content-type", json_text(property.text));
        break;
      case PropertyId::response_topic:
        append_property_json(out, "response-topic", json_text(property.text));
        break;
      case PropertyId::correlation_data:
        append_property_json(out, "correlation-data", json_text(property.text));
        break;
      default:
        // A list, as names may come twice.
        (users += users.empty() ? "{" : ",{") += json_text(property.text);
        ((users += ':') += json_text(property.text_value)) += '}';
    }
  }
  if (!users.empty()) append_property_json(out, "user-properties", '[' + users + ']');
  return out == "{" ? "" : out + '}';
}

std::string as_json(const mqtt::Publish& publish, WallTime now, bool payload_is_json) {
  std::string out = "{\"tst\":\"" + formatted_time("%FT%T", now) + '.' +
                    nanoseconds(now).substr(0, 6) + formatted_time("%z", now) + "\",\"topic\":";
  append_json(out, publish.topic);
  out += ",\"qos\":" + std::to_string(publish.qos);
  out += std::string(",\"retain\":") + (publish.retain ? '1' : '0');
  out += ",\"payloadlen\":" + std::to_string(publish.payload.size());
  if (publish.qos > 0) out += ",\"mid\":" + std::to_string(publish.packet_id);
  if (const std::string properties = properties_json(publish); !properties.empty()) {
    out += ",\"properties\":" + properties;
  }
  out += ",\"payload\":";
  const std::string_view payload = as_text(publish.payload);
  if (payload_is_json && payload.empty()) {
    out += "null";
  } else if (payload_is_json && is_json(payload)) {
    out += payload;
  } else {
    append_json(out, payload);
  }
  return out + '}';
}

std::string value_of(char kind, const mqtt::Publish& publish,
                     const MessageFormat::Context& context) {
  switch (kind) {
    case 'A':
      return publish.alias != 0 ? std::to_string(publish.alias) : "";
    case 'C':
      return property_text(publish, PropertyId::content_type);
    case 'D':
      return property_text(publish, PropertyId::correlation_data);
    case 'E':
      return publish.expiry_seconds ? std::to_string(*publish.expiry_seconds) : "";
    case 'F':
      return property_text(publish, PropertyId::payload_format_indicator);
    case 'I':
      return formatted_time("%FT%T%z", context.now);
    case 'i':
      return std::string(context.client_id);
    case 'j':
    case 'J':
      return as_json(publish, context.now, kind == 'J');
    case 'l':
      return std::to_string(publish.payload.size());
    case 'm':
      return std::to_string(publish.packet_id);
    case 'P':
      return property_text(publish, PropertyId::user_property);
    case 'p':
      return std::string(as_text(publish.payload));
    case 'q':
      return std::to_string(publish.qos);
    case 'R':
      return property_text(publish, PropertyId::response_topic);
    case 'r':
      return publish.retain ? "1" : "0";
    case 'S':
      return identifiers(publish, " ");
    case 't':
      return std::string(publish.topic);
    case 'U':
      return std::to_string(context.now.ms / 1000) + '.' + nanoseconds(context.now);
    case 'x':
      return hex(publish.payload, "0123456789abcdef");
    case 'X':
      return hex(publish.payload, "0123456789ABCDEF");
    default:
      return "";
  }
}

// The character that a backslash and `c` stand for; false: none.
bool unescape(char c, char& out) {
  constexpr std::string_view from = "\\0aenrtv", to("\\\0\a\x1b\n\r\t\v", 8);
  const std::size_t at = from.find(c);
  if (at == std::string_view::npos) return false;
  out = to[at];
  return true;
}

// Takes digits off the front.
int take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc() ? std::min(number, width_max) : 0;
}

Error unknown(std::string_view sequence) {
  return {Code::invalid,
          "must not hold " + std::string(sequence) +
              ": there are %p %x %X %l %t %q %r %m %j %J %I %U %i %A %C %D %E %F %P "
              "%R %S %%, @ and a letter of strftime, and \\n \\t \\r \\a \\e \\v \\0"};
}

}  // namespace

Result<MessageFormat> MessageFormat::parse(std::string_view text) {
  MessageFormat format;
  auto& pieces = format.pieces_;
  const auto literal = [&](char c) {
    if (pieces.empty() || pieces.back().kind != 0) pieces.emplace_back();
    pieces.back().text += c;
  };
  while (!text.empty()) {
    const std::string_view start = text;
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '\\') {
      char meant = 0;
      if (text.empty() || !unescape(text.front(), meant)) return unknown(start.substr(0, 2));
      text.remove_prefix(1);
      literal(meant);
    } else if (c == '@') {
      constexpr std::string_view times = "aAbBcCdDeFgGhHIjklmMnNpPrRsStTuUVwWxXyYzZ@";
      if (text.empty() || times.find(text.front()) == std::string_view::npos) {
        return unknown(start.substr(0, 2));
      }
      if (text.front() == '@') {
        literal('@');
      } else {
        Piece& piece = pieces.emplace_back();
        piece.kind = '@';
        piece.text = {'%', text.front()};
      }
      text.remove_prefix(1);
    } else if (c == '%') {
      Piece piece;
      if (text.starts_with('-')) {
        piece.left = true;
        text.remove_prefix(1);
      } else if (text.starts_with('0')) {
        piece.zero = true;
        text.remove_prefix(1);
      }
      piece.width = take_number(text);
      if (text.starts_with('.')) {
        text.remove_prefix(1);
        piece.precision = take_number(text);
      }
      const std::string_view sequence =
          start.substr(0, std::min(start.size(), start.size() - text.size() + 1));
      if (text.empty()) return unknown(sequence);
      piece.kind = text.front();
      text.remove_prefix(1);
      if (piece.kind == '%') {
        literal('%');
      } else if (kinds.find(piece.kind) == std::string_view::npos) {
        return unknown(sequence);
      } else {
        pieces.push_back(std::move(piece));
      }
    } else {
      literal(c);
    }
  }
  return format;
}

void MessageFormat::append(const mqtt::Publish& publish, const Context& context,
                           std::string& out) const {
  for (const Piece& piece : pieces_) {
    if (piece.kind == 0) {
      out += piece.text;
      continue;
    }
    if (piece.kind == '@') {
      out += piece.text == "%N" ? nanoseconds(context.now)
                                : formatted_time(piece.text.c_str(), context.now);
      continue;
    }
    std::string value = value_of(piece.kind, publish, context);
    if (piece.precision >= 0)
      value.resize(std::min<std::size_t>(value.size(), static_cast<std::size_t>(piece.precision)));
    const auto width = static_cast<std::size_t>(piece.width);
    if (value.size() < width) {
      value.insert(piece.left ? value.size() : 0, width - value.size(), piece.zero ? '0' : ' ');
    }
    out += value;
  }
}

}  // namespace gnomon::cli
