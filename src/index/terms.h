// Terms: a field and one of its values, by which things are found. Pure.
//
// A posting is a key of the store: the field, the value, the thing. Values are either text or
// numbers. Text is compared without regard to case (of ASCII letters); what is longer than
// limits::index_text_bytes is cut off. Numbers are doubles, in their order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/key.h"

namespace gnomon::index {

// Value: what a field holds. A bool is the text "true" or "false". Refers to its text.
struct Value {
  enum class Kind : std::uint8_t { text, number };
  Kind kind = Kind::text;
  std::string_view text;  // as it is written, of a number too
  double number = 0;
};
[[nodiscard]] inline Value text_value(std::string_view text) {
  return {Value::Kind::text, text, 0};
}
[[nodiscard]] inline Value number_value(double number) { return {Value::Kind::number, {}, number}; }

// The number that a text is, as JSON writes numbers; nullopt: it is none, or not finite.
[[nodiscard]] std::optional<double> number_of(std::string_view text);

// ASCII letters in lower case.
[[nodiscard]] std::string folded(std::string_view text);

// A field whose name is longer has no postings: what is asked of it is looked up in the things.
[[nodiscard]] bool has_postings(std::string_view field);

// ---- keys

// The postings of a field; of a term, in which the rest of a key is the name of the thing.
[[nodiscard]] records::Key postings_of(std::string_view field);
[[nodiscard]] records::Key postings_of(std::string_view field, const Value& value);
[[nodiscard]] std::string posting(std::string_view field, const Value& value,
                                  std::string_view thing);
// Of all fields whose names begin so: [begin, end).
struct Range {
  std::string begin, end;
  bool operator==(const Range&) const = default;
};
[[nodiscard]] Range postings_of_fields(std::string_view prefix);

// Ranges of the terms of a field: numbers from `least` to `most`; texts that begin with a prefix,
// or lie between two. nullopt: no bound.
struct Bound {
  std::string text;
  double number = 0;
  bool included = true;
};
[[nodiscard]] Range numbers_between(std::string_view field, const std::optional<Bound>& least,
                                    const std::optional<Bound>& most);
[[nodiscard]] Range texts_between(std::string_view field, const std::optional<Bound>& least,
                                  const std::optional<Bound>& most);
[[nodiscard]] Range texts_with_prefix(std::string_view field, std::string_view prefix);

// What a key of a posting says; nullopt: it is none. `text` is folded, and cut off.
struct Posting {
  std::string field, text, thing;
  Value::Kind kind = Value::Kind::text;
  double number = 0;
};
[[nodiscard]] std::optional<Posting> read_posting(std::string_view key);

}  // namespace gnomon::index
