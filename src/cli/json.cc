#include "cli/json.h"

#include "base/utf8.h"

namespace gnomon::cli {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool whole(Json& out) {
    if (!value(out, 0)) return false;
    space();
    return rest_.empty();
  }

 private:
  static constexpr int depth_max = 512;
  using Kind = Json::Kind;

  static bool digit(char c) { return c >= '0' && c <= '9'; }
  [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }

  void space() {
    while (front() == ' ' || front() == '\t' || front() == '\n' || front() == '\r') {
      rest_.remove_prefix(1);
    }
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view text, Kind kind, Json& out) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    out.kind = kind;
    if (kind != Kind::null) out.text = text;
    return true;
  }
  bool digits() {
    if (!digit(front())) return false;
    while (digit(front())) rest_.remove_prefix(1);
    return true;
  }
  bool number(Json& out) {
    const std::string_view start = rest_;
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    out.kind = Kind::number;
    out.text = start.substr(0, start.size() - rest_.size());
    return true;
  }
  bool string(std::string& out) {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }
  bool escape(std::string& out) {
    constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c != 'u') {
      const std::size_t at = from.find(c);
      if (at == std::string_view::npos) return false;
      out += to[at];
      return true;
    }
    unsigned code = 0;
    if (!hex4(code)) return false;
    // A pair of surrogates is one character; half a pair is none.
    if (code >= 0xd800 && code < 0xdc00 && rest_.starts_with("\\u")) {
      const std::string_view behind = rest_;
      unsigned low = 0;
      rest_.remove_prefix(2);
      if (!hex4(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        rest_ = behind;
      }
    }
    append(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return true;
  }
  bool hex4(unsigned& code) {
    for (int i = 0; i < 4; ++i) {
      const char c = front();
      const char lower = static_cast<char>(c | 0x20);
      if (digit(c)) {
        code = code * 16 + static_cast<unsigned>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        code = code * 16 + static_cast<unsigned>(lower - 'a') + 10;
      } else {
        return false;
      }
      rest_.remove_prefix(1);
    }
    return true;
  }
  static void append(std::string& out, unsigned code) {
    const auto byte = [&out](unsigned value) { out += static_cast<char>(value); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        byte(0xe0 | code >> 12);
      } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
      }
      byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
  }
  // The members of an array or an object, behind its opening bracket.
  bool members(Json& out, char end, int depth) {
    out.kind = end == '}' ? Kind::object : Kind::array;
    space();
    if (take(end)) return true;
    do {
      auto& [name, member] = out.members.emplace_back();
      space();
      if (end == '}') {
        if (!string(name)) return false;
        space();
        if (!take(':')) return false;
      }
      if (!value(member, depth + 1)) return false;
      space();
    } while (take(','));
    return take(end);
  }
  bool value(Json& out, int depth) {
    if (depth > depth_max) return false;
    space();
    switch (front()) {
      case '{':
        rest_.remove_prefix(1);
        return members(out, '}', depth);
      case '[':
        rest_.remove_prefix(1);
        return members(out, ']', depth);
      case '"':
        out.kind = Kind::string;
        return string(out.text);
      case 't':
        return word("true", Kind::boolean, out);
      case 'f':
        return word("false", Kind::boolean, out);
      case 'n':
        return word("null", Kind::null, out);
      default:
        return number(out);
    }
  }

  std::string_view rest_;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view Json::get(std::string_view name) const {
  const Json* member = find(name);
  return member == nullptr ? std::string_view() : std::string_view(member->text);
}

std::optional<Json> read_json(std::string_view text) {
  Json value;
  if (!is_mqtt_utf8(text) || !Reader(text).whole(value)) return std::nullopt;
  return value;
}

}  // namespace gnomon::cli
