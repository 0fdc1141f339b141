// Steps: operations of the registry on a Change, for who makes one change of several
// (provisioning): all of them are written or none. What each does, and refuses, is told where the
// operation of its name is; after a step that fails the change is to be given up.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/certificates.h"
#include "registry/change.h"
#include "registry/memberships.h"
#include "registry/policies.h"
#include "registry/principals.h"
#include "registry/things.h"

namespace gnomon::registry {

// ---- things
struct ThingState {
  std::string thing_type_name;  // empty: none
  std::vector<std::string> thing_groups;
};
[[nodiscard]] std::optional<ThingState> find_thing(Change& change, const std::string& thing_name);
Reply<CreatedThing> create_thing(Change& change, const CreateThing& request);
Reply<Nothing> update_thing(Change& change, const UpdateThing& request);
Reply<Nothing> update_thing_groups_for_thing(Change& change,
                                             const UpdateThingGroupsForThing& request);
Reply<Nothing> attach_thing_principal(Change& change, const AttachThingPrincipal& request);

// ---- certificates
// Makes one that the authority for devices signs, and keeps it nowhere. `subject_der`: of a
// request; empty: CN "AWS IoT Certificate". Errors: invalid (the key, the name).
Result<crypto::Certificate> issue_certificate(const Registry& registry,
                                              const crypto::PublicKey& key, std::string subject_der,
                                              WallTime until = crypto::far_end);
// For a certificate signing request. Errors: the same; a request that cannot be read.
Result<crypto::Certificate> issue_for_request(const Registry& registry,
                                              std::string_view request_pem);
// Registers what was so made. Not `listed`: only who knows its id finds it.
Reply<RegisteredCertificate> keep_issued(Change& change, const crypto::Certificate& certificate,
                                         CertificateStatus status, bool listed = true);
Reply<RegisteredCertificate> register_certificate(Change& change,
                                                  const RegisterCertificate& request);
Reply<RegisteredCertificate> register_arrival(Change& change,
                                              const crypto::Certificate& certificate,
                                              std::string_view ca_certificate_id);
struct CertificateState {
  CertificateStatus status{};
  std::string certificate_pem;
};
[[nodiscard]] std::optional<CertificateState> find_certificate(Change& change,
                                                               std::string_view certificate_id);
Reply<Nothing> update_certificate(Change& change, std::string_view certificate_id,
                                  CertificateStatus new_status);
Reply<Nothing> delete_certificate(Change& change, std::string_view certificate_id, bool force);

// ---- policies
[[nodiscard]] bool has_policy(Change& change, std::string_view policy_name);
Reply<PolicyVersionDescription> create_policy(Change& change, const CreatePolicy& request);
Reply<Nothing> attach_policy(Change& change, const std::string& policy_name,
                             const std::string& target);

}  // namespace gnomon::registry
