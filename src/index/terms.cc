#include "index/terms.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "base/limits.h"
#include "index/tables.h"

namespace gnomon::index {

namespace {

constexpr char number_mark = 'n', text_mark = 's';  // numbers before texts
constexpr std::size_t number_bytes = 8;

// 8 bytes whose order is that of the numbers: the sign is turned round, and all bits of a negative
// one. 0 and -0 are the same.
std::string ordered(double number) {
  auto bits = std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
  bits = (bits >> 63U) != 0 ? ~bits : bits | 1ULL << 63U;
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

double number_from(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (const char c : bytes) bits = bits << 8U | static_cast<unsigned char>(c);
  bits = (bits >> 63U) != 0 ? bits & ~(1ULL << 63U) : ~bits;
  return std::bit_cast<double>(bits);
}

std::string cut(std::string_view text) { return folded(text.substr(0, limits::index_text_bytes)); }

records::Key marked(std::string_view field, char mark) {
  return postings_of(field).last({&mark, 1});
}
records::Key key_of(std::string_view field, double number) {
  return marked(field, number_mark).last(ordered(number));
}
records::Key key_of(std::string_view field, std::string_view text) {
  return marked(field, text_mark).text(cut(text));
}

// Where a range begins and ends: at the first or behind the last key of a term.
Range between(const records::Key& all, const std::optional<records::Key>& least, bool least_in,
              const std::optional<records::Key>& most, bool most_in) {
  Range range{std::string(all.view()), all.behind()};
  if (least) range.begin = least_in ? std::string(least->view()) : least->behind();
  if (most) range.end = most_in ? most->behind() : std::string(most->view());
  return range;
}

bool included(const std::optional<Bound>& bound) { return bound && bound->included; }

// Of a text that was cut off it is not known on which side of the bound it lies.
bool text_included(const std::optional<Bound>& bound) {
  return bound && (bound->included || bound->text.size() >= limits::index_text_bytes);
}

}  // namespace

std::optional<double> number_of(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

std::string folded(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

bool has_postings(std::string_view field) { return field.size() <= limits::index_field_bytes; }

records::Key postings_of(std::string_view field) { return key(Table::posting).text(field); }

records::Key postings_of(std::string_view field, const Value& value) {
  return value.kind == Value::Kind::number ? key_of(field, value.number)
                                           : key_of(field, value.text);
}

std::string posting(std::string_view field, const Value& value, std::string_view thing) {
  return std::string(postings_of(field, value).last(thing).view());
}

Range postings_of_fields(std::string_view prefix) {
  const records::Key all = key(Table::posting).last(prefix);
  return {std::string(all.view()), all.behind()};
}

Range numbers_between(std::string_view field, const std::optional<Bound>& least,
                      const std::optional<Bound>& most) {
  std::optional<records::Key> from, to;
  if (least) from = key_of(field, least->number);
  if (most) to = key_of(field, most->number);
  return between(marked(field, number_mark), from, included(least), to, included(most));
}

Range texts_between(std::string_view field, const std::optional<Bound>& least,
                    const std::optional<Bound>& most) {
  std::optional<records::Key> from, to;
  if (least) from = key_of(field, std::string_view(least->text));
  if (most) to = key_of(field, std::string_view(most->text));
  return between(marked(field, text_mark), from, text_included(least), to, text_included(most));
}

Range texts_with_prefix(std::string_view field, std::string_view prefix) {
  // Without the end of the text. The last byte may be 0xFF: what lies behind is found by Key.
  const records::Key whole = marked(field, text_mark).text(cut(prefix));
  const records::Key open =
      key(Table::posting).last(records::parts_of(whole.view().substr(0, whole.view().size() - 2)));
  return {std::string(open.view()), open.behind()};
}

std::optional<Posting> read_posting(std::string_view key) {
  records::KeyReader parts(records::parts_of(key));
  Posting read;
  read.field = parts.text();
  const std::string_view mark = parts.fixed(1);
  if (mark == std::string_view(&number_mark, 1)) {
    read.kind = Value::Kind::number;
    read.number = number_from(parts.fixed(number_bytes));
  } else if (mark == std::string_view(&text_mark, 1)) {
    read.text = parts.text();
  } else {
    return std::nullopt;
  }
  read.thing = parts.rest();
  if (!parts.good()) return std::nullopt;
  return read;
}

}  // namespace gnomon::index
