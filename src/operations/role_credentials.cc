#include "operations/role_credentials.h"

#include <utility>

#include <boost/json.hpp>

#include "api/dates.h"
#include "api/render.h"
#include "iam/sessions.h"
#include "identity/devices.h"
#include "provisioning/role_aliases.h"
#include "registry/principals.h"
#include "registry/things.h"

namespace gnomon::operations {

namespace {

namespace bj = boost::json;

constexpr std::string_view before = "/role-aliases/", behind = "/credentials";
constexpr std::string_view service = "credentials.iot.amazonaws.com";
constexpr std::string_view thing_header = "x-amzn-iot-thingname";

using api::ApiError;
template <class T>
using Reply = Result<T, ApiError>;

ApiError denied(std::string message) { return {403, "AccessDeniedException", std::move(message)}; }
ApiError unavailable(std::string message) {
  return {503, "ServiceUnavailableException", std::move(message)};
}

ApiError to_error(identity::Denial denial) {
  return denial.trouble ? unavailable(std::move(denial.why)) : denied(std::move(denial.why));
}
ApiError to_error(const iam::Failure& failure) {
  return failure.kind == iam::Kind::unavailable ? unavailable(failure.message)
                                                : denied(failure.message);
}
ApiError to_error(const registry::Failure& failure) {
  if (failure.kind == registry::Kind::service_unavailable) return unavailable(failure.message);
  return {404, "ResourceNotFoundException", failure.message};
}

// What policies of the role may know of the device.
Reply<std::map<std::string, std::string>> keys_of(const World& world,
                                                  const std::string& certificate_id,
                                                  const std::string& thing_name) {
  std::map<std::string, std::string> keys{{"credentials-iot:AwsCertificateId", certificate_id}};
  if (thing_name.empty()) return keys;
  const auto attached = registry::is_attached(world.registry, thing_name, certificate_id);
  if (attached && !*attached) {
    return denied("the certificate " + certificate_id + " is not attached to the thing " +
                  thing_name);
  }
  const auto thing = registry::describe_thing(world.registry, thing_name);
  if (!attached || !thing) {
    const registry::Failure& failure = attached ? thing.error() : attached.error();
    if (failure.kind == registry::Kind::service_unavailable) return unavailable(failure.message);
    return denied("the certificate " + certificate_id + " is not attached to the thing " +
                  thing_name);
  }
  keys["credentials-iot:ThingName"] = thing_name;
  if (!thing->thing_type_name.empty())
    keys["credentials-iot:ThingTypeName"] = thing->thing_type_name;
  return keys;
}

Reply<iam::Credentials> give(World& world, const Arrival& arrival, WallTime now,
                             std::string& caller) {
  const DeviceProof& proof = arrival.device;
  if (proof.certificate.empty())
    return denied("no identity: show the certificate of a device in the TLS handshake");
  const auto certificate = crypto::Certificate::from_der(as_bytes(proof.certificate));
  if (!certificate) return denied("the certificate " + certificate.error().message);
  caller = registry::arn(world.registry, "cert/" + certificate->id());
  if (arrival.request.count(thing_header) > 1)
    return ApiError{400, "InvalidRequestException", std::string(thing_header) + " is there twice"};
  const std::string thing_name(arrival.request.header(thing_header));

  const identity::Arrival comes{
      .client_id = thing_name, .address = arrival.address, .host = proof.host};
  auto outcome = world.devices.admit(*certificate, proof.authorities, comes);
  if (auto* denial = std::get_if<identity::Denial>(&outcome)) return to_error(std::move(*denial));
  auto keys = keys_of(world, certificate->id(), thing_name);
  if (!keys) return keys.error();

  const std::string_view alias = *alias_of(arrival.request.path());
  const std::string alias_arn =
      registry::arn(world.registry, std::string("rolealias/").append(alias));
  const policy::Request request{
      .action = "iot:AssumeRoleWithCertificate", .resource = alias_arn, .now = now};
  if (auto denial = world.devices.ask(std::get<identity::Admission>(outcome), comes,
                                      "credentials_denied", request))
    return to_error(std::move(*denial));
  const auto described = provisioning::describe_role_alias(world.provisioning, alias);
  if (!described) return to_error(described.error());
  auto credentials = iam::assume(
      world.iam, described->role_arn, service,
      {.name = certificate->id(), .duration = described->duration, .keys = *std::move(keys)},
      {.arn = alias_arn, .account = world.registry.account});
  if (!credentials) return to_error(credentials.error());
  return *std::move(credentials);
}

}  // namespace

std::optional<std::string_view> alias_of(std::string_view path) {
  if (!path.starts_with(before) || !path.ends_with(behind) ||
      path.size() <= before.size() + behind.size())
    return std::nullopt;
  const auto alias = path.substr(before.size(), path.size() - before.size() - behind.size());
  if (alias.find('/') != std::string_view::npos) return std::nullopt;
  return alias;
}

Answer role_credentials(World& world, const Arrival& arrival, WallTime now) {
  Answer answer;
  answer.request_id = api::new_request_id(world.registry.random);
  const auto given = give(world, arrival, now, answer.caller);
  bj::object body;
  if (given) {
    body["credentials"] = {{"accessKeyId", given->access_key_id},
                           {"secretAccessKey", given->secret_access_key},
                           {"sessionToken", given->session_token},
                           {"expiration", api::iso_date(given->expiration)}};
  } else {
    answer.error = given.error().name;
    answer.response.status = given.error().status;
    body["message"] = given.error().message;
  }
  answer.response.headers = {{"Content-Type", "application/json"},
                             {"Cache-Control", "no-store"},
                             {"x-amzn-RequestId", answer.request_id}};
  if (!given) answer.response.headers.push_back({"x-amzn-ErrorType", given.error().name});
  answer.response.body = json::write(body);
  return answer;
}

}  // namespace gnomon::operations
