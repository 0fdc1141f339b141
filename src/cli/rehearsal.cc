#include "cli/rehearsal.h"

#include <iostream>
#include <utility>

#include <boost/json.hpp>

#include "cli/broker_address.h"
#include "cli/certificate_steps.h"
#include "cli/rollback.h"
#include "net/tls.h"
#include "runtime/network.h"

namespace gnomon::cli {

bool rehearse_step(const std::string& what, const std::function<Result<void>()>& act) {
  const auto done = act();
  std::cout << (done ? "ok      " : "FAILED  ") << what;
  if (!done) std::cout << ": " << done.error().message;
  std::cout << std::endl;
  return static_cast<bool>(done);
}

Result<std::string> provisioning_role(ApiClient& client, Rollback& rollback,
                                      const std::string& name, const std::string& arn) {
  const auto made = client.call(
      "iam", "CreateRole",
      {{"RoleName", name},
       {"AssumeRolePolicyDocument",
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":)"
        R"("iot.amazonaws.com"},"Action":"sts:AssumeRole"}})"}});
  if (!made) return made.error();
  rollback.add([&client, name] { return client.call("iam", "DeleteRole", {{"RoleName", name}}); });
  const auto allowed = client.call(
      "iam", "PutRolePolicy",
      {{"RoleName", name},
       {"PolicyName", "provisioning"},
       {"PolicyDocument", R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":)"
                          R"("iot:*","Resource":"*"}})"}});
  if (!allowed) return allowed.error();
  rollback.add([&client, name] {
    return client.call("iam", "DeleteRolePolicy",
                       {{"RoleName", name}, {"PolicyName", "provisioning"}});
  });
  const std::string prefix = arn.substr(0, arn.rfind(':'));  // "arn:aws:iot:REGION:ACCOUNT"
  return "arn:aws:iam::" + prefix.substr(prefix.rfind(':') + 1) + ":role/" + name;
}

Result<client::Endpoint> device_endpoint(ApiClient& client, const ApiServer& server,
                                         const std::optional<std::string>& host,
                                         const std::string& certificates, const std::string& key) {
  net::TlsConfig::Client tls;
  tls.authorities = server.authorities;
  tls.certificates = certificates;
  tls.key = key;
  auto config = net::TlsConfig::client(tls);
  if (!config) return config.error();
  const auto broker = broker_address(client, server, host);
  if (!broker) return broker.error();
  auto address = runtime::resolve(*broker);
  if (!address) return address.error();
  client::Endpoint endpoint;
  endpoint.address = *std::move(address);
  endpoint.name = broker->host;
  endpoint.tls = std::move(*config);
  return endpoint;
}

Result<void> nothing_of(const Result<json::Value>& answer) {
  if (!answer) return answer.error();
  return {};
}

Result<std::string> registered(ApiClient& client, const std::string& certificate_id,
                               const std::string& status) {
  const auto told = client.iot("DescribeCertificate", {{"certificateId", certificate_id}});
  if (!told) return told.error();
  const json::Value& description = told->as_object().at("certificateDescription");
  const std::string is = text_of(description, "status");
  if (is != status) return Error{Code::conflict, "it is " + is};
  return text_of(description, "certificateArn");
}

Result<void> attached(ApiClient& client, const std::string& thing, const std::string& arn) {
  const auto principals =
      list_all(client, {"ListThingPrincipals", "principals", "nextToken", "nextToken"},
               {{"thingName", thing}});
  if (!principals) return principals.error();
  for (const json::Value& principal : *principals)
    if (principal == json::Value(arn)) return {};
  return Error{Code::not_found, "the certificate is not attached to " + thing};
}

Result<json::Value> take_device(ApiClient& client, const std::string& certificate_id,
                                const std::string& thing) {
  const auto told = client.iot("DescribeCertificate", {{"certificateId", certificate_id}});
  if (told) {
    const std::string arn =
        text_of(told->as_object().at("certificateDescription"), "certificateArn");
    if (auto gone = delete_certificate(client, arn); !gone) return gone;
  } else if (told.error().code != Code::not_found) {
    return told;
  }
  return client.iot("DeleteThing", {{"thingName", thing}});
}

bool rehearse_clean(Rollback& rollback) {
  return rehearse_step("all is taken away again", [&]() -> Result<void> {
    if (const std::string left = rollback.run(); !left.empty())
      return Error{Code::unavailable, left};
    return {};
  });
}

}  // namespace gnomon::cli
