// What the requests of the admin listener have in common: who may ask, and their queries.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace gnomon::server {

// Whether a request may cause or see something: a page in a browser must not, so what one could
// send is denied: an Origin, or a Host that only leads here. Errors: denied.
Result<void> check_sender(const net::Request& request);

// Percent-decoded (RFC 3986 §2.1). Errors: invalid.
Result<std::string> percent_decoded(std::string_view text);

// The query of a target, "?name=value&…". Errors: invalid (not percent-encoded, a name that is not
// among `known`).
using Query = std::map<std::string, std::string, std::less<>>;
Result<Query> read_query(std::string_view target, std::initializer_list<std::string_view> known);

// 400 for what is wrong with the request, 403, 404 (if `missing` says so, else 421: another
// server's folder), 409 for a state that is in its way, 500 for a disk that refuses; the reason as
// text.
[[nodiscard]] net::Response refusal(const Error& error, int missing = 421);

}  // namespace gnomon::server
