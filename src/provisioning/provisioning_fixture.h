// What the tests of the provisioning share: a registry with what templates refer to.
#pragma once

#include <string>

#include "crypto/request.h"
#include "provisioning/provisioning.h"
#include "registry/attachments.h"
#include "registry/billing_groups.h"
#include "registry/certificates.h"
#include "registry/memberships.h"
#include "registry/policies.h"
#include "registry/principals.h"
#include "registry/registry_fixture.h"
#include "registry/thing_groups.h"
#include "registry/thing_types.h"
#include "registry/things.h"

namespace gnomon::provisioning {

constexpr const char* connect_document =
    R"({"Version":"2012-10-17","Statement":)"
    R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"}})";
constexpr const char* role = "arn:aws:iam::123456789012:role/provision";

// Every role may do everything, or what is said.
struct GivenRoles final : Roles {
  Permit permit = [](std::string_view, std::string_view) { return true; };
  std::string taken;  // the last one, and what for
  Result<Permit> take(const std::string& role_arn, const std::string& source) override {
    taken = role_arn + ' ' + source;
    if (!permit) return Error{Code::denied, "The role " + role_arn + " is not to be had."};
    return permit;
  }
};

struct Fixture : registry::Fixture {
  Fixture() {
    for (const char* type : {"bulb", "tube"})
      REQUIRE(create_thing_type(registry, {type, {}, {}}).ok());
    for (const char* group : {"attic", "cellar"})
      REQUIRE(create_thing_group(registry, {group, "", {}, {}}).ok());
    REQUIRE(create_billing_group(registry, {"paid", "", {}}).ok());
    REQUIRE(create_policy(registry, {"may", connect_document, {}}).ok());
  }
  crypto::Sealer sealer{crypto::MasterKey{}};
  GivenRoles roles;
  Provisioning provisioning{registry, sealer, roles};

  [[nodiscard]] std::string certificate_arn(const std::string& id) const {
    return arn(registry, "cert/" + id);
  }
  // Whatever a device needs, by the certificate that is provisioned: thing NAME of type bulb in
  // attic, with policy may.
  static std::string template_body(const std::string& overrides = "{}") {
    return R"({"Parameters":{"Name":{"Type":"String"},)"
           R"("AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{)"
           R"("lamp":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"Name"},)"
           R"("ThingTypeName":"bulb","AttributePayload":{"a":"1"},"ThingGroups":["attic"],)"
           R"("BillingGroup":"paid"},"OverrideSettings":)" +
           overrides +
           R"(},"key":{"Type":"AWS::IoT::Certificate","Properties":{)"
           R"("CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},)"
           R"("right":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"may"}}},)"
           R"("DeviceConfiguration":{"Region":{"Ref":"AWS::Region"}}})";
  }
  std::string certificate(registry::CertificateStatus status) {
    const auto request = crypto::write_request("lamp", crypto::PrivateKey::generate_ec_p256());
    const auto made = create_certificate_from_csr(registry, *request, status);
    REQUIRE(made.ok());
    return made->value.certificate_id;
  }
  // "" if all of it is there, else what is not.
  std::string missing(const std::string& thing_name, const std::string& certificate_id) {
    const auto thing = describe_thing(registry, thing_name);
    if (!thing) return "thing";
    if (thing->thing_type_name != "bulb") return "type";
    if (thing->billing_group_name != "paid") return "billing group";
    if (thing->attributes != registry::Attributes{{"a", "1"}}) return "attributes";
    const auto groups = list_thing_groups_for_thing(registry, thing_name, {});
    if (groups->items.size() != 1 || groups->items[0].group_name != "attic") return "group";
    const auto is = describe_certificate(registry, certificate_id);
    if (!is || is->status != registry::CertificateStatus::active) return "certificate";
    if (!*is_attached(registry, thing_name, certificate_id)) return "principal";
    const auto policies =
        list_attached_policies(registry, certificate_arn(certificate_id), false, {});
    if (policies->items.size() != 1 || policies->items[0].policy_name != "may") return "policy";
    return "";
  }
};

}  // namespace gnomon::provisioning
