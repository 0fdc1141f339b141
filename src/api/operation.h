// From a request to the operation it calls and what goes into it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/error.h"
#include "api/sigv4.h"
#include "api/tables.h"
#include "api/uri.h"
#include "json/json.h"
#include "net/http_message.h"

namespace gnomon::api {

// What a request calls, read as far as that takes. A value that borrows nothing of the request.
struct Call {
  const Operation* operation = nullptr;
  std::vector<Parameter> labels;      // of the path, decoded
  std::vector<Parameter> parameters;  // of the query; of the form in the query protocol
};

// Which operation of `service` the request calls: by method and path (rest-json), X-Amz-Target
// (json) or Action (query). The path is split before its labels are decoded, once. A path that has
// two spellings for a signature (empty segments, "." and "..") is no operation's. Refused: unknown
// operations; those that are known and not built (501; `call.operation` is set then too); a query
// or form that cannot be read. The body must be whole for json and query.
[[nodiscard]] std::optional<ApiError> find(const Service& service, const net::Request& request,
                                           Call& call);
// The same for requests without a signature: in whichever service has a row that lets them be
// called so, `auth` being unsigned_call or client_certificate. Null: none does, and nothing is said
// of why.
[[nodiscard]] const Service* find_open(Auth auth, const net::Request& request, Call& call);

// Reads the input of a call that was found, and holds it against the model: an object with the
// modelled members that are there, by their names, whatever the protocol; what the model does not
// know is left out. Types are those of api/tables.h. Refused: Fault::malformed (not JSON, wrong
// types, a parameter twice, not UTF-8), Fault::invalid (all that is wrong in one message, worded as
// AWS does), too much of anything.
[[nodiscard]] std::optional<ApiError> bind(const Call& call, const net::Request& request,
                                           json::Value& input);

// What the signature of a call of `operation` must be like. `region`: ours. The scope of global
// services is us-east-1; where both will do (STS has endpoints of either kind) it is the claimed
// one.
[[nodiscard]] Demands demands_of(const Operation& operation, const Claim& claim,
                                 std::string_view region);
// What a refused signature is answered with.
[[nodiscard]] ApiError to_error(const Service& service, const Refusal& refusal);

}  // namespace gnomon::api
