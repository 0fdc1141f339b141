// Runs testdata/iot_*.test; every modelled error of every operation that is built is among them.
#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "operations/iot_case_world.h"

namespace gnomon::operations {
namespace {

// What the front door answers, or nobody: no handler can.
constexpr std::array<std::string_view, 3> of_the_front_door = {
    "ThrottlingException", "UnauthorizedException", "InternalFailureException"};

// Modelled errors that cannot come about, and why.
const std::map<std::string, std::string> unreachable = {
    {"DeleteThing ResourceNotFoundException", "a thing that is not there is deleted already"},
    {"ListBillingGroups ResourceNotFoundException", "nothing is named that must be there"},
    {"CreateKeysAndCertificate InvalidRequestException", "any input will do"},
    {"GetRegistrationCode InvalidRequestException", "there is no input"},
    {"RegisterCertificateWithoutCA CertificateStateException", "there is no CA to be inactive"},
    {"UpdateCertificate CertificateStateException", "none is on its way to another account"},
    {"TransferCertificate CertificateStateException", "all transfers are invalid requests"},
    {"TransferCertificate TransferConflictException", "the same"},
    {"AcceptCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"RejectCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"CancelCertificateTransfer TransferAlreadyCompletedException", "the same"},
    {"ListOutgoingCertificates ServiceUnavailableException", "it does not ask the store"},
    {"RegisterCACertificate ResourceNotFoundException", "templates are not looked up"},
    {"DetachPolicy LimitExceededException", "nothing grows by it"},
    {"ListAttachedPolicies LimitExceededException", "the same"},
    {"ListTargetsForPolicy LimitExceededException", "the same"},
    {"GetEffectivePolicies LimitExceededException", "the same"},
};

TEST_CASE("the service iot, as testdata has it, and each modelled error once") {
  Seen seen;
  for (const char* name :
       {"things", "thing_types", "thing_groups", "billing_groups", "principals", "certificates",
        "authorities", "policies", "attachments", "tags", "account", "malformed"}) {
    run_cases("testdata/iot_" + std::string(name) + ".test", seen);
  }
  for (const api::Operation& operation : api::service_named("iot")->operations) {
    if (operation.row == nullptr || handler_of(operation) == nullptr) continue;
    CAPTURE(operation.name);
    CHECK(seen.contains(std::string(operation.name)));
    for (const api::ErrorShape* error : operation.errors) {
      if (std::ranges::find(of_the_front_door, error->name) != of_the_front_door.end()) continue;
      const std::string pair = std::string(operation.name) + ' ' + std::string(error->name);
      CAPTURE(pair);
      CHECK(seen.contains(pair) != unreachable.contains(pair));
    }
  }
}

}  // namespace
}  // namespace gnomon::operations
