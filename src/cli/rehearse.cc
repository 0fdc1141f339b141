// gnomon rehearse: on-boarding from one end to the other at a running server, with keys made for
// it.
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include <boost/json.hpp>

#include "base/log.h"
#include "base/random.h"
#include "cli/api_client.h"
#include "cli/authority_steps.h"
#include "cli/certificate_steps.h"
#include "cli/commands.h"
#include "cli/rehearsal.h"
#include "cli/rollback.h"
#include "cli/visit.h"

namespace gnomon::cli {

namespace {

constexpr std::chrono::milliseconds day = std::chrono::hours(24);

// Makes a thing named as the certificate's subject, and lets it in.
std::string template_body(const std::string& policy) {
  return R"({"Parameters":{"AWS::IoT::Certificate::CommonName":{"Type":"String"},)"
         R"("AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{)"
         R"("thing":{"Type":"AWS::IoT::Thing","Properties":{)"
         R"("ThingName":{"Ref":"AWS::IoT::Certificate::CommonName"}}},)"
         R"("certificate":{"Type":"AWS::IoT::Certificate","Properties":{)"
         R"("CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},)"
         R"("policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":")" +
         policy + R"("}}}})";
}

// Rehearsal: what is made for it, and taken away when it is over, whatever came of it.
// Owner: the command.
class Rehearsal {
 public:
  Rehearsal(const ApiServer& server, ApiClient& client, bool provisioned)
      : server_(server), client_(client), provisioned_(provisioned) {}

  // Prints each step; returns whether all went well.
  bool run(const std::optional<std::string>& host) {
    const bool well =
        rehearse_step("a policy for the device", [this] { return policy(); }) &&
        rehearse_step(provisioned_ ? "an authority, registered with a template"
                                   : "an authority, registered with auto-registration",
                      [this] { return authority(); }) &&
        rehearse_step("a device with a certificate of that authority",
                      [&] { return device(host); }) &&
        rehearse_step("its first connection is refused", [this] { return refused(); }) &&
        (provisioned_ || rehearse_step("the server has registered it, PENDING_ACTIVATION",
                                       [this] { return waits(); })) &&
        (provisioned_ || rehearse_step("a policy is attached, and it is made ACTIVE",
                                       [this] { return activate(); })) &&
        rehearse_step("it is let in, and publishes",
                      [this] { return visit_until_welcome(visit_, rehearsal_patience); }) &&
        rehearse_step("it is registered, ACTIVE", [this] { return registered("ACTIVE"); }) &&
        (!provisioned_ ||
         rehearse_step("it has its thing", [this] { return attached(client_, name_, arn_); }));
    return rehearse_clean(rollback_) && well;
  }

 private:
  Result<void> policy() {
    const auto made = client_.iot(
        "CreatePolicy",
        {{"policyName", name_},
         {"policyDocument", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow",)"
                            R"("Action":["iot:Connect","iot:Publish"],"Resource":"*"}]})"}});
    if (!made) return made.error();
    policy_arn_ = text_of(*made, "policyArn");
    rollback_.add([this] { return client_.iot("DeletePolicy", {{"policyName", name_}}); });
    return {};
  }
  Result<void> authority() {
    const WallTime now{wall_.now().ms / 1000 * 1000};
    auto made = make_authority(name_, now, now + day, random_);
    if (!made) return made.error();
    authority_.emplace(std::move(*made));
    boost::json::object more{{"setAsActive", true}, {"allowAutoRegistration", true}};
    if (provisioned_) {
      const auto role = provisioning_role(client_, rollback_, name_, policy_arn_);
      if (!role) return role.error();
      more["registrationConfig"] = {{"templateBody", template_body(name_)}, {"roleArn", *role}};
    }
    const auto registered =
        register_authority(client_, authority_->certificate, authority_->key, std::move(more));
    if (!registered) return registered.error();
    rollback_.add([this, id = text_of(*registered, "certificateId")]() -> Result<json::Value> {
      if (auto out = client_.iot("UpdateCACertificate",
                                 {{"certificateId", id}, {"newStatus", "INACTIVE"}});
          !out)
        return out;
      return client_.iot("DeleteCACertificate", {{"certificateId", id}});
    });
    return {};
  }
  Result<void> device(const std::optional<std::string>& host) {
    const auto key = crypto::PrivateKey::generate_ec_p256();
    const auto made = crypto::issue({crypto::Profile::device,
                                     name_,
                                     {},
                                     authority_->certificate.not_before(),
                                     authority_->certificate.not_after()},
                                    key.public_key(), *authority_, random_);
    if (!made) return made.error();
    certificate_id_ = made->id();
    auto endpoint = device_endpoint(
        client_, server_, host, made->to_pem() + authority_->certificate.to_pem(), key.to_pem());
    if (!endpoint) return endpoint.error();
    visit_.endpoint = std::move(*endpoint);
    visit_.client_id = name_;
    visit_.topic = name_ + "/state";
    return {};
  }
  Result<void> refused() {
    const auto met = visit(visit_);
    // Whatever it was: the server may know the certificate now.
    rollback_.add([this] { return take_device(client_, certificate_id_, name_); });
    if (met) return Error{Code::conflict, "it was let in"};
    if (met.error().code != Code::denied) return met.error();
    return {};
  }
  Result<void> registered(const std::string& status) {
    auto arn = cli::registered(client_, certificate_id_, status);
    if (!arn) return arn.error();
    arn_ = *std::move(arn);
    return {};
  }
  // The server refuses first and registers then: until it has, the device comes again.
  Result<void> waits() {
    const Instant until = monotonic_.now() + rehearsal_patience;
    for (;;) {
      auto done = registered("PENDING_ACTIVATION");
      if (done || monotonic_.now() >= until) return done;
      if (visit(visit_)) return Error{Code::conflict, "it was let in"};
    }
  }
  Result<void> activate() {
    if (auto done =
            nothing_of(client_.iot("AttachPolicy", {{"policyName", name_}, {"target", arn_}}));
        !done)
      return done;
    return nothing_of(client_.iot("UpdateCertificate",
                                  {{"certificateId", certificate_id_}, {"newStatus", "ACTIVE"}}));
  }

  const ApiServer& server_;
  ApiClient& client_;
  const bool provisioned_;
  SystemRandom random_;
  SystemWallClock wall_;
  SystemMonotonicClock monotonic_;
  const std::string name_ = "gnomon-rehearsal-" + random_.hex(12);
  std::string policy_arn_, certificate_id_, arn_;
  std::optional<crypto::Authority> authority_;
  Visit visit_;
  Rollback rollback_;
};

int fail(const char* command, const std::string& what) {
  std::cerr << command << ": " << what << '\n';
  return exit_failed;
}

// Runs it; returns whether all went well.
using Run = bool (*)(ApiClient& client, const ApiServer& server,
                     const std::optional<std::string>& host);

bool rehearse_jitr(ApiClient& client, const ApiServer& server,
                   const std::optional<std::string>& host) {
  return Rehearsal(server, client, false).run(host);
}
bool rehearse_jitp(ApiClient& client, const ApiServer& server,
                   const std::optional<std::string>& host) {
  return Rehearsal(server, client, true).run(host);
}

int rehearse_one(Words words, const char* command, const std::string& purpose, Run run) {
  ApiArguments api;
  std::optional<std::string> host;
  Arguments arguments(std::string(command) + " [options]",
                      purpose + " Prints each step; all that was made for it is taken away.",
                      {command, std::string(command) + " --data /var/lib/gnomon"});
  arguments.text("--host", "HOST[:PORT]",
                 "Where devices find the server; what DescribeEndpoint tells, and 8883", host);
  api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  set_log_level(LogLevel::error);
  const auto server = api.find();
  if (!server) return fail(command, server.error().message);
  auto client = ApiClient::make(*server);
  if (!client) return fail(command, client.error().message);
  return run(*client, *server, host) ? exit_done : exit_failed;
}

}  // namespace

std::vector<std::string_view> rehearse_parts() { return {"jitr", "jitp", "claim"}; }

int rehearse(Words words) {
  if (!words.empty() && words[0] == "jitr") {
    return rehearse_one(
        words.subspan(1), "gnomon rehearse jitr",
        "Just-in-time registration: a device with a certificate of a registered "
        "authority comes, is refused and registered, is made ACTIVE as your own code "
        "would, comes again and is let in.",
        rehearse_jitr);
  }
  if (!words.empty() && words[0] == "jitp") {
    return rehearse_one(
        words.subspan(1), "gnomon rehearse jitp",
        "Just-in-time provisioning: a device with a certificate of an authority with "
        "a template comes, is refused, gets its thing and policy, comes again and is "
        "let in.",
        rehearse_jitp);
  }
  if (!words.empty() && words[0] == "claim") {
    return rehearse_one(
        words.subspan(1), "gnomon rehearse claim",
        "Fleet provisioning by claim: a device comes with a certificate that all of its kind have, "
        "asks over MQTT for one of its own, is provisioned by a template, and comes again as "
        "itself.",
        rehearse_claim);
  }
  Arguments arguments("gnomon rehearse jitr|jitp|claim [options]",
                      "Runs an on-boarding from one end to the other at a running server, with "
                      "keys made for it. Each has --help.",
                      {"gnomon rehearse jitr", "gnomon rehearse claim"});
  if (const auto code = arguments.read(words)) return *code;
  return arguments.misuse("what to do is missing: jitr, jitp or claim");
}

}  // namespace gnomon::cli
