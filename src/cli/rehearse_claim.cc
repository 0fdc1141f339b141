// Fleet provisioning by claim: a device that knows no more than all of its kind gets a certificate
// of its own (AWS IoT: "Provisioning by claim").
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/random.h"
#include "cli/certificate_steps.h"
#include "cli/rehearsal.h"
#include "cli/rollback.h"
#include "cli/visit.h"

namespace gnomon::cli {

namespace {

std::string document(const std::string& statements) {
  return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

// ClaimRehearsal: Owner: rehearse_claim().
class ClaimRehearsal {
 public:
  ClaimRehearsal(ApiClient& client, const ApiServer& server, const std::optional<std::string>& host)
      : client_(client), server_(server), host_(host) {}

  bool run() {
    const bool well =
        rehearse_step("a policy for the device, and one for the claim",
                      [this] { return policies(); }) &&
        rehearse_step("a provisioning template, with a role for it", [this] { return templ(); }) &&
        rehearse_step("a claim: a certificate for all devices of a kind",
                      [this] { return claim(); }) &&
        rehearse_step("by the claim the device gets a certificate of its own",
                      [this] { return certificate(); }) &&
        rehearse_step("it is provisioned by the template", [this] { return provision(); }) &&
        rehearse_step("it is let in by its own certificate, and publishes",
                      [this] { return welcome(); }) &&
        rehearse_step("it is registered, ACTIVE, and has its thing", [this] { return thing(); });
    return rehearse_clean(rollback_) && well;
  }

 private:
  Result<void> policy(const std::string& name, const std::string& statements, std::string& arn) {
    const auto made = client_.iot("CreatePolicy",
                                  {{"policyName", name}, {"policyDocument", document(statements)}});
    if (!made) return made.error();
    arn = text_of(*made, "policyArn");
    rollback_.add([this, name] { return client_.iot("DeletePolicy", {{"policyName", name}}); });
    return {};
  }
  Result<void> policies() {
    std::string arn;
    if (auto made = policy(name_,
                           R"({"Effect":"Allow","Action":["iot:Connect","iot:Publish"],)"
                           R"("Resource":"*"})",
                           arn);
        !made)
      return made;
    const std::string prefix = arn.substr(0, arn.rfind(':') + 1);
    policy_arn_ = arn;
    std::string topics, filters;
    for (const std::string& topic : {std::string("$aws/certificates/create/*"),
                                     "$aws/provisioning-templates/" + name_ + "/provision/*"}) {
      topics += (topics.empty() ? "" : ",") + json_text(prefix + "topic/" + topic);
      filters += (filters.empty() ? "" : ",") + json_text(prefix + "topicfilter/" + topic);
    }
    return policy(claim_,
                  R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"},)"
                  R"({"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[)" +
                      topics + R"(]},{"Effect":"Allow","Action":"iot:Subscribe","Resource":[)" +
                      filters + "]}",
                  arn);
  }
  Result<void> templ() {
    const auto role = provisioning_role(client_, rollback_, name_, policy_arn_);
    if (!role) return role.error();
    const std::string body =
        R"({"Parameters":{"SerialNumber":{"Type":"String"},)"
        R"("AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{)"
        R"("thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"SerialNumber"}}},)"
        R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{)"
        R"("CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},)"
        R"("policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":)" +
        json_text(name_) + "}}}}";
    const auto made = client_.iot("CreateProvisioningTemplate", {{"templateName", name_},
                                                                 {"templateBody", body},
                                                                 {"provisioningRoleArn", *role},
                                                                 {"enabled", true}});
    if (!made) return made.error();
    rollback_.add([this] {
      return client_.iot("DeleteProvisioningTemplate", {{"templateName", name_}});
    });
    return {};
  }
  Result<void> claim() {
    const auto made = client_.iot("CreateKeysAndCertificate", {{"setAsActive", true}});
    if (!made) return made.error();
    const std::string arn = text_of(*made, "certificateArn");
    rollback_.add([this, arn] { return delete_certificate(client_, arn); });
    if (auto done =
            nothing_of(client_.iot("AttachPolicy", {{"policyName", claim_}, {"target", arn}}));
        !done)
      return done;
    return use(*made, text_of(made->as_object().at("keyPair"), "PrivateKey"));
  }
  // From now on the device has this certificate.
  Result<void> use(const json::Value& made, const std::string& key) {
    auto endpoint = device_endpoint(client_, server_, host_, text_of(made, "certificatePem"), key);
    if (!endpoint) return endpoint.error();
    visit_.endpoint = std::move(*endpoint);
    visit_.client_id = name_;
    visit_.topic = name_ + "/state";
    return {};
  }
  Result<json::Value> ask(const std::string& topic, const std::string& payload) {
    const auto answer = cli::ask(visit_, topic, payload);
    if (!answer) return answer.error();
    auto read = json::parse(*answer);
    if (!read || !read->is_object())
      return Error{Code::unavailable, "the answer on " + topic + "/accepted is no JSON object"};
    return *std::move(read);
  }
  Result<void> certificate() {
    const auto made = ask("$aws/certificates/create/json", "{}");
    if (!made) return made.error();
    certificate_id_ = text_of(*made, "certificateId");
    token_ = text_of(*made, "certificateOwnershipToken");
    rollback_.add([this] { return take_device(client_, certificate_id_, name_); });
    made_ = *made;
    return {};
  }
  Result<void> provision() {
    const auto done = ask("$aws/provisioning-templates/" + name_ + "/provision/json",
                          "{\"certificateOwnershipToken\":" + json_text(token_) +
                              R"(,"parameters":{"SerialNumber":)" + json_text(name_) + "}}");
    if (!done) return done.error();
    const std::string thing = text_of(*done, "thingName");
    if (thing == name_) return {};
    return Error{Code::conflict, "its thing is '" + thing + "' and not '" + name_ + "'"};
  }
  Result<void> welcome() {
    if (auto done = use(made_, text_of(made_, "privateKey")); !done) return done;
    return visit_until_welcome(visit_, rehearsal_patience);
  }
  Result<void> thing() {
    const auto arn = registered(client_, certificate_id_, "ACTIVE");
    if (!arn) return arn.error();
    return attached(client_, name_, *arn);
  }

  ApiClient& client_;
  const ApiServer& server_;
  const std::optional<std::string>& host_;
  SystemRandom random_;
  const std::string name_ = "gnomon-rehearsal-" + random_.hex(12), claim_ = name_ + "-claim";
  std::string policy_arn_, certificate_id_, token_;
  json::Value made_;
  Visit visit_;
  Rollback rollback_;
};

}  // namespace

bool rehearse_claim(ApiClient& client, const ApiServer& server,
                    const std::optional<std::string>& host) {
  return ClaimRehearsal(client, server, host).run();
}

}  // namespace gnomon::cli
