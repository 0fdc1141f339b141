#include "api/error.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace gnomon::api {
namespace {

struct Common {
  Fault fault;
  int status;
  std::string_view name;  // rest-json and json
  int query_status;
  std::string_view query_name;
};
constexpr std::array<Common, 12> commons = {{
    {Fault::no_signature, 403, "MissingAuthenticationTokenException", 403,
     "MissingAuthenticationToken"},
    {Fault::incomplete_signature, 400, "IncompleteSignatureException", 400, "IncompleteSignature"},
    {Fault::wrong_signature, 403, "InvalidSignatureException", 403, "SignatureDoesNotMatch"},
    {Fault::unknown_key, 403, "UnrecognizedClientException", 403, "InvalidClientTokenId"},
    {Fault::expired_token, 403, "ExpiredTokenException", 403, "ExpiredToken"},
    {Fault::denied, 403, "AccessDeniedException", 403, "AccessDenied"},
    {Fault::unknown_operation, 404, "UnknownOperationException", 400, "InvalidAction"},
    {Fault::too_large, 413, "RequestEntityTooLargeException", 413, "RequestEntityTooLarge"},
    {Fault::throttled, 400, "ThrottlingException", 400, "Throttling"},
    {Fault::internal, 500, "InternalFailureException", 500, "InternalFailure"},
    {Fault::not_built, 501, "NotImplementedException", 501, "NotImplemented"},
    {Fault::unavailable, 503, "ServiceUnavailableException", 503, "ServiceUnavailable"},
}};

}  // namespace

ApiError modelled_error(const Service& service, std::string_view name, std::string message) {
  const ErrorShape* const shape = error_named(service, name);
  if (shape == nullptr) {
    throw std::logic_error(std::string(service.name) + " has no error " + std::string(name));
  }
  return {shape->status, std::string(name), std::move(message)};
}

ApiError common_error(const Service& service, Fault fault, std::string message) {
  if (fault == Fault::malformed || fault == Fault::invalid) {
    const bool form = fault == Fault::malformed;
    const std::string_view name = form ? service.malformed_code : service.invalid_code;
    return {400, std::string(name), std::move(message)};
  }
  const auto& common = *std::ranges::find(commons, fault, &Common::fault);
  if (service.protocol == Protocol::query) {
    return {common.query_status, std::string(common.query_name), std::move(message)};
  }
  // Where the service has its own status for it, as the data plane of IoT for throttling (429).
  const ErrorShape* const shape = error_named(service, common.name);
  return {shape == nullptr ? common.status : shape->status, std::string(common.name),
          std::move(message)};
}

ApiError not_built(const Operation& operation) {
  return common_error(*operation.service, Fault::not_built,
                      std::string(operation.service->name) + ":" + std::string(operation.name) +
                          " is not built into this server.");
}

}  // namespace gnomon::api
