#include "registry/failure.h"

namespace gnomon::registry {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::certificate_conflict:
      return "CertificateConflictException";
    case Kind::certificate_state:
      return "CertificateStateException";
    case Kind::certificate_validation:
      return "CertificateValidationException";
    case Kind::conflicting_resource_update:
      return "ConflictingResourceUpdateException";
    case Kind::delete_conflict:
      return "DeleteConflictException";
    case Kind::index_not_ready:
      return "IndexNotReadyException";
    case Kind::invalid_aggregation:
      return "InvalidAggregationException";
    case Kind::invalid_query:
      return "InvalidQueryException";
    case Kind::invalid_request:
      return "InvalidRequestException";
    case Kind::limit_exceeded:
      return "LimitExceededException";
    case Kind::malformed_policy:
      return "MalformedPolicyException";
    case Kind::registration_code_validation:
      return "RegistrationCodeValidationException";
    case Kind::resource_already_exists:
      return "ResourceAlreadyExistsException";
    case Kind::resource_not_found:
      return "ResourceNotFoundException";
    case Kind::resource_registration_failure:
      return "ResourceRegistrationFailureException";
    case Kind::service_unavailable:
      return "ServiceUnavailableException";
    case Kind::version_conflict:
      return "VersionConflictException";
    case Kind::versions_limit_exceeded:
      return "VersionsLimitExceededException";
  }
  return "InternalFailureException";
}

Failure already_exists(std::string message, std::string id, std::string arn) {
  Failure failure(Kind::resource_already_exists, std::move(message));
  failure.resource_id = std::move(id);
  failure.resource_arn = std::move(arn);
  return failure;
}

Failure wrong_version(std::string_view what) {
  return {Kind::version_conflict,
          "The version for " + std::string(what) + " does not match the expected version."};
}

}  // namespace gnomon::registry
