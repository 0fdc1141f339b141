// Fleet provisioning: a device that comes with a claim gets a certificate of its own, and is
// provisioned with it by a template. What it asks for, without the topics that it asks at
// (claim_topics.h), and CreateProvisioningClaim.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "provisioning/provisioning.h"
#include "registry/certificates.h"

namespace gnomon::provisioning {

// Why a device is refused, as AWS IoT tells it in the payload of a topic …/rejected.
struct Rejection {
  int status_code = 400;
  std::string error_code;     // "InvalidCertificateOwnershipToken"
  std::string error_message;  // for a person
  Rejection(int status, std::string code, std::string message)
      : status_code(status), error_code(std::move(code)), error_message(std::move(message)) {}
  explicit Rejection(const registry::Failure& failure);
};
template <class T>
using Given = Result<registry::Done<T>, Rejection>;

struct OwnCertificate {
  std::string certificate_id, certificate_pem;
  std::string private_key;      // PEM; "" with a request
  std::string ownership_token;  // for limits::ownership_lifetime; whoever has it owns it
};
// The certificate is PENDING_ACTIVATION, and is deleted if nobody is provisioned with it while the
// token holds. The first makes an RSA key: 0.1 s and more. Errors: InvalidParameters (the request),
// LimitExceeded, ServiceUnavailable.
Given<OwnCertificate> create_own_keys(Provisioning& provisioning);
Given<OwnCertificate> create_own_certificate(Provisioning& provisioning,
                                             std::string_view request_pem);

// Who asks.
struct Claimant {
  std::string principal;  // of the connection: a certificate's id, or another name
  std::string client_id;
};
struct Provision {
  std::string template_name, ownership_token;
  Parameters parameters;  // none may begin with "AWS::": those are the server's
};
struct ProvisionedDevice {
  std::string thing_name;  // "": the template makes none
  std::map<std::string, std::string> device_configuration;
};
// What the template says, the certificate's status and the end of its token, as one batch. Errors:
// InvalidParameters; ResourceNotFound (the template); AccessDenied (it is not enabled; its hook
// says no, does not answer, or there is nobody to ask); InvalidCertificateOwnershipToken (none of
// this server's, too late, or used); ResourceRegistrationFailure; ConflictingResourceUpdate;
// ServiceUnavailable.
Given<ProvisionedDevice> provision(Provisioning& provisioning, const Provision& request,
                                   const Claimant& claimant);

struct ProvisioningClaim {
  std::string certificate_id, certificate_pem;
  std::string public_key, private_key;  // PEM
  WallTime expiration;
};
// CreateProvisioningClaim: a certificate for limits::claim_lifetime, in no listing, with the policy
// gnomon-claim-TEMPLATE: fleet provisioning by this template, and nothing else. The policy is made
// if it is missing. Errors: resource_not_found (the template), invalid_request (it is for JITP),
// service_unavailable.
registry::Written<ProvisioningClaim> create_provisioning_claim(Provisioning& provisioning,
                                                               const std::string& template_name);

}  // namespace gnomon::provisioning
