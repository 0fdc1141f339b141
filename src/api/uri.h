// Percent-encoding (RFC 3986 §2.1), paths and query parameters, as the AWS protocols use them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::api {

// Escapes every byte but the unreserved ones (letters, digits, "-._~") and those of `spare`, with
// upper-case digits: what SigV4 calls UriEncode.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view spare = {});
// Nothing if there is a '%' without two hexadecimal digits behind it.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

struct Parameter {
  std::string name, value;
  auto operator<=>(const Parameter&) const = default;
};
// What stands for a space: "%20" alone in a query, '+' too in the body of a form.
enum class Plus : bool { itself, space };

// The parameters of "a=1&b" in their order, decoded; empty ones ("a&&b") are left out. Nothing if
// an escape is wrong or there are more than limits::parameters_max.
[[nodiscard]] std::optional<std::vector<Parameter>> read_parameters(std::string_view text,
                                                                    Plus plus = Plus::itself);
// What is behind the '?' of a request target, or "".
[[nodiscard]] std::string_view query_of(std::string_view target);

}  // namespace gnomon::api
