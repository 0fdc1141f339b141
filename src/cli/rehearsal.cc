#include "cli/rehearsal.h"

#include <iostream>
#include <utility>

#include <boost/json.hpp>

#include "cli/broker_address.h"
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

}  // namespace gnomon::cli
