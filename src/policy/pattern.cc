#include "policy/pattern.h"

#include <algorithm>

#include "policy/ascii.h"

namespace gnomon::policy {
namespace {

bool is_key_char(char c) { return c != '$' && c != '{' && c != '\'' && c != ','; }

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

void append_text(std::vector<Part>& parts, std::string_view text) {
  if (parts.empty() || parts.back().kind != Part::Kind::text) {
    parts.push_back({Part::Kind::text, {}, {}});
  }
  parts.back().text += text;
}

Error bad(std::string_view variable, std::string_view why) {
  return {Code::invalid, "variable " + std::string(variable) + ": " + std::string(why)};
}

// Length of `${…}` at the front of `text`; 0: it does not end. A fallback may hold braces.
std::size_t variable_length(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 2; i < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (text[i] == '}' && !quoted) return i + 1;
  }
  return 0;
}

// `whole` is `${…}`.
Result<Part> read_variable(std::string_view whole, const Syntax& syntax) {
  const std::string_view inside = whole.substr(2, whole.size() - 3);
  const std::size_t comma = std::min(inside.find(','), inside.size());
  const std::string_view key = trimmed(inside.substr(0, comma));
  Part part{Part::Kind::variable, std::string(key), {}};
  if (key.empty()) return bad(whole, "it has no name");
  if (!std::ranges::all_of(key, is_key_char)) return bad(whole, "that is not a name");
  if (comma == inside.size()) return part;
  if (!syntax.fallbacks) return bad(whole, "default values are only for IAM policies");
  const std::string_view fallback = trimmed(inside.substr(comma + 1));
  if (fallback.size() < 2 || !fallback.starts_with('\'') || !fallback.ends_with('\'')) {
    return bad(whole, "its default value must be in single quotes");
  }
  part.fallback = fallback.substr(1, fallback.size() - 2);
  return part;
}

// The next character of UTF-8 behind `at`.
std::size_t behind(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80) ++at;
  return at;
}

}  // namespace

Result<std::vector<Part>> split(std::string_view text, Syntax syntax) {
  std::vector<Part> parts;
  while (!text.empty()) {
    std::size_t taken = 1;
    if (syntax.variables && text.starts_with("${")) {
      taken = variable_length(text);
      if (taken == 0) return bad(text, "there is no } at its end");
      const std::string_view whole = text.substr(0, taken);
      if (whole == "${*}" || whole == "${?}" || whole == "${$}") {
        append_text(parts, whole.substr(2, 1));
      } else {
        auto part = read_variable(whole, syntax);
        if (!part) return part.error();
        parts.push_back(std::move(*part));
      }
    } else if (syntax.wildcards && text.front() == '*') {
      if (parts.empty() || parts.back().kind != Part::Kind::any_run) {
        parts.push_back({Part::Kind::any_run, {}, {}});
      }
    } else if (syntax.wildcards && text.front() == '?') {
      parts.push_back({Part::Kind::any_one, {}, {}});
    } else {
      taken = std::min(text.find_first_of("$*?", 1), text.size());
      append_text(parts, text.substr(0, taken));
    }
    text.remove_prefix(taken);
  }
  return parts;
}

void Patterns::add_text(std::string_view text) {
  if (text.empty()) return;
  const bool follows = pieces_.size() > begins_.back() && pieces_.back().kind == Kind::text;
  if (!follows) pieces_.push_back({Kind::text, static_cast<std::uint32_t>(text_.size()), 0});
  text_ += text;
  pieces_.back().size += static_cast<std::uint32_t>(text.size());
}
void Patterns::add_any_run() { pieces_.push_back({Kind::any_run, 0, 0}); }
void Patterns::add_any_one() { pieces_.push_back({Kind::any_one, 0, 0}); }
void Patterns::add_variable(std::uint32_t slot) { pieces_.push_back({Kind::variable, slot, 0}); }
void Patterns::add_nothing() { pieces_.push_back({Kind::nothing, 0, 0}); }

std::uint32_t Patterns::finish() {
  begins_.push_back(static_cast<std::uint32_t>(pieces_.size()));
  return static_cast<std::uint32_t>(begins_.size() - 2);
}

// On a mismatch the last `*` takes one character more. An earlier one need not be asked again: the
// pieces behind it have matched as far to the left as they can.
bool Patterns::matches(std::uint32_t pattern, std::string_view text,
                       const VariableTexts& variables) const {
  const Piece* piece = pieces_.data() + begins_[pattern];
  const Piece* const end = pieces_.data() + begins_[pattern + 1];
  const Piece* retry = nullptr;  // behind the last `*`
  std::size_t at = 0, retry_at = 0;
  for (;;) {
    bool fits = false;
    if (piece == end) {
      if (at == text.size()) return true;
    } else if (piece->kind == Kind::any_run) {
      if (++piece == end) return true;
      retry = piece;
      retry_at = at;
      continue;
    } else if (piece->kind == Kind::any_one) {
      fits = at < text.size();
      if (fits) at = behind(text, at);
    } else if (piece->kind != Kind::nothing) {
      const bool is_text = piece->kind == Kind::text;
      const auto literal = is_text ? text_of(*piece) : variables.text(piece->at);
      if (!literal) return false;
      fits = text.substr(at).starts_with(*literal);
      at += fits ? literal->size() : 0;
    } else {
      return false;
    }
    if (fits) {
      ++piece;
      continue;
    }
    if (retry == nullptr || retry_at >= text.size()) return false;
    retry_at = behind(text, retry_at);
    // What must follow is looked for instead of tried at every character.
    if (retry != end && retry->kind == Kind::text) {
      retry_at = text.find(text_of(*retry), retry_at);
      if (retry_at == std::string_view::npos) return false;
    }
    at = retry_at;
    piece = retry;
  }
}

bool Patterns::equals_ignoring_case(std::uint32_t pattern, std::string_view text,
                                    const VariableTexts& variables) const {
  for (std::uint32_t i = begins_[pattern]; i < begins_[pattern + 1]; ++i) {
    const Piece& piece = pieces_[i];
    if (piece.kind == Kind::nothing) return false;
    const auto literal = piece.kind == Kind::text ? text_of(piece) : variables.text(piece.at);
    if (!literal || text.size() < literal->size()) return false;
    if (!equal_ignoring_case(text.substr(0, literal->size()), *literal)) return false;
    text.remove_prefix(literal->size());
  }
  return text.empty();
}

bool Patterns::fixed(std::uint32_t pattern) const {
  return std::none_of(pieces_.begin() + begins_[pattern], pieces_.begin() + begins_[pattern + 1],
                      [](const Piece& piece) { return piece.kind == Kind::variable; });
}

}  // namespace gnomon::policy
