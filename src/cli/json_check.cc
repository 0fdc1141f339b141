#include "cli/json_check.h"

#include "base/utf8.h"

namespace gnomon::cli {

namespace {

class Checker {
 public:
  explicit Checker(std::string_view text) : rest_(text) {}
  bool whole() {
    if (!value(0)) return false;
    space();
    return rest_.empty();
  }

 private:
  static constexpr int depth_max = 512;

  static bool digit(char c) { return c >= '0' && c <= '9'; }
  static bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
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
  bool word(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool digits() {
    if (!digit(front())) return false;
    while (digit(front())) rest_.remove_prefix(1);
    return true;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }
  bool escape() {
    const char c = front();
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i) {
      if (!hex(front())) return false;
      rest_.remove_prefix(1);
    }
    return true;
  }
  // The members of an array or an object, behind its opening bracket.
  bool members(char end, int depth) {
    space();
    if (take(end)) return true;
    do {
      space();
      if (end == '}') {
        if (!string()) return false;
        space();
        if (!take(':')) return false;
      }
      if (!value(depth + 1)) return false;
      space();
    } while (take(','));
    return take(end);
  }
  bool value(int depth) {
    if (depth > depth_max) return false;
    space();
    switch (front()) {
      case '{':
        rest_.remove_prefix(1);
        return members('}', depth);
      case '[':
        rest_.remove_prefix(1);
        return members(']', depth);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  std::string_view rest_;
};

}  // namespace

bool is_json(std::string_view text) { return is_mqtt_utf8(text) && Checker(text).whole(); }

}  // namespace gnomon::cli
