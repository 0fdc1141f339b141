// The condition operators of policies: their names, and what a value must be to be compared.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gnomon::policy {

// How one value of the request is compared with one of the policy.
enum class Comparison : std::uint8_t {
  string_equals,       // byte for byte
  string_ignore_case,  // A to Z as a to z
  string_like,         // `*` and `?` are wildcards
  number_equals,
  number_less,
  number_at_most,
  number_greater,
  number_at_least,
  date_equals,
  date_less,
  date_at_most,
  date_greater,
  date_at_least,
  boolean,
  binary,
  address,   // within a range of addresses
  arn_like,  // six parts, each with wildcards; ArnEquals is the same
  null,      // whether the key is there at all
};

// Over which of the request's values: `all` holds when there is none, `any` does not.
enum class Quantifier : std::uint8_t { none, all, any };

struct Operator {
  Comparison comparison = Comparison::string_equals;
  bool negated = false;    // StringNotEquals and so on: none of the policy's values fits
  bool if_exists = false;  // …IfExists: holds when the key is missing
  Quantifier quantifier = Quantifier::none;
  bool operator==(const Operator&) const = default;
};
// "ForAllValues:StringNotLikeIfExists" taken apart; nothing if there is no such operator.
[[nodiscard]] std::optional<Operator> find_operator(std::string_view name);
[[nodiscard]] std::string to_string(const Operator& op);

// Whether variables are replaced in values of this comparison, and whether `*` and `?` are
// wildcards in them.
[[nodiscard]] bool takes_variables(Comparison comparison);
[[nodiscard]] bool takes_wildcards(Comparison comparison);

// A number as policies write it: decimal, finite.
[[nodiscard]] std::optional<double> read_number(std::string_view text);
// Milliseconds since 1970: a date of ISO 8601 in the profile of the W3C ("2020-04-01T00:00:00Z",
// "2020-04", "2020-04-01T10:00+02:00", fractions of a second), or seconds since 1970.
[[nodiscard]] std::optional<std::int64_t> read_date(std::string_view text);

// A range of IP addresses. IPv4 is held as ::ffff:a.b.c.d, so that both meet.
struct Network {
  std::array<std::uint8_t, 16> address{};
  int bits = 128;  // that count, from the front
  [[nodiscard]] bool contains(const Network& other) const;
};
// "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the mask do not matter.
[[nodiscard]] std::optional<Network> read_network(std::string_view text);

// What is wrong with `value` (without variables) in a policy, as the end of a sentence that begins
// with the value; "" if nothing is.
[[nodiscard]] std::string_view check_value(Comparison comparison, std::string_view value);

}  // namespace gnomon::policy
