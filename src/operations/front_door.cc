#include "operations/front_door.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

#include <boost/json.hpp>

#include "api/authority.h"
#include "api/render.h"
#include "base/log.h"
#include "iam/entities.h"
#include "iam/iam.h"
#include "identity/devices.h"
#include "operations/request_keys.h"
#include "operations/resource_keys.h"

namespace gnomon::operations {

using api::ApiError;
using api::Fault;

// What is found out of one request on its way in.
struct FrontDoor::Visit {
  const Arrival& arrival;
  const WallTime now;
  const api::Service* service;  // never null: whose errors are understood
  api::Call call{};
  api::Claim claim{};
  std::shared_ptr<const iam::Caller> caller{};
  // Of a device that shows its certificate instead of a signature.
  std::optional<identity::Admission> device{};
  identity::Arrival comes{};
  json::Value input{};
  RequestKeys keys{};                                            // of the call, whatever it acts on
  CallCounts::Refused refused = CallCounts::Refused::signature;  // if it is

  ApiError refuse(CallCounts::Refused why, ApiError error) {
    refused = why;
    return error;
  }
};

namespace {

using Refused = CallCounts::Refused;

// Whose form of errors a request without a signature that is known may expect.
const api::Service& guess_service(const net::Request& request) {
  const bool form = request.header("content-type").starts_with("application/x-www-form-urlencoded");
  return *api::service_named(form ? "sts" : "iot");
}

ApiError refuse_key(const api::Service& service, const iam::KeyRefusal& refusal) {
  using Reason = iam::KeyRefusal::Reason;
  const Fault fault = refusal.reason == Reason::expired       ? Fault::expired_token
                      : refusal.reason == Reason::unavailable ? Fault::unavailable
                                                              : Fault::unknown_key;
  return api::common_error(service, fault, refusal.message);
}

// As the operation's model has it, if it has a name for that: DeleteConnection of iot-data.
ApiError denied(const api::Operation& operation, std::string message) {
  constexpr std::string_view forbidden = "ForbiddenException";
  const bool named = std::ranges::any_of(
      operation.errors, [&](const api::ErrorShape* error) { return error->name == forbidden; });
  return named ? api::modelled_error(*operation.service, forbidden, std::move(message))
               : api::common_error(*operation.service, Fault::denied, std::move(message));
}

ApiError deny(const api::Operation& operation, const iam::Caller& caller, std::string_view action,
              std::string_view resource, policy::Verdict verdict) {
  std::string message = "User: " + caller.arn + " is not authorized to perform: ";
  message.append(action).append(" on resource: ").append(resource);
  if (iam::is_barred(caller, action)) {
    message += " because a session of GetSessionToken cannot call IAM";
  } else if (verdict == policy::Verdict::explicit_deny) {
    message += " with an explicit deny in a policy";
  } else {
    message.append(" because no policy allows the ").append(action).append(" action");
  }
  return denied(operation, std::move(message));
}

// The keys that every request has, whatever is asked.
std::vector<api::KeyWithValues> global_keys(const Arrival& arrival, const std::string& region) {
  std::vector<api::KeyWithValues> keys{
      {"aws:SourceIp", {arrival.address}},
      {"aws:SecureTransport", {arrival.encrypted ? "true" : "false"}},
      {"aws:RequestedRegion", {region}},
      {"aws:PrincipalIsAWSService", {"false"}},
      {"aws:ViaAWSService", {"false"}},
  };
  for (const auto& [key, header] :
       {std::pair("aws:UserAgent", "user-agent"), std::pair("aws:Referer", "referer")}) {
    if (arrival.request.count(header) > 0)
      keys.push_back({key, {std::string(arrival.request.header(header))}});
  }
  return keys;
}

}  // namespace

// ---- who it is

std::optional<ApiError> FrontDoor::verify(Visit& visit, const api::Demands& demands) const {
  auto signatory =
      setup_.world.iam.signatory(visit.claim.access_key_id, visit.claim.security_token, visit.now);
  if (!signatory) return refuse_key(*visit.service, signatory.error());
  if (const auto refusal =
          api::verify(visit.arrival.request, visit.claim, signatory->secret, demands, visit.now)) {
    return api::to_error(*visit.service, *refusal);
  }
  visit.caller = std::move(signatory->caller);
  return std::nullopt;
}

std::optional<ApiError> FrontDoor::admit_open(Visit& visit) const {
  const api::Service* const open =
      api::find_open(api::unsigned_call, visit.arrival.request, visit.call);
  if (open == nullptr && !visit.arrival.device.certificate.empty()) return admit_device(visit);
  if (open == nullptr) {
    return visit.refuse(Refused::signature,
                        api::common_error(*visit.service, Fault::no_signature,
                                          "Request is missing Authentication Token"));
  }
  visit.service = open;
  return std::nullopt;
}

std::optional<ApiError> FrontDoor::admit_device(Visit& visit) const {
  const DeviceProof& proof = visit.arrival.device;
  const api::Service* const open =
      api::find_open(api::client_certificate, visit.arrival.request, visit.call);
  if (open == nullptr) {
    return visit.refuse(Refused::signature,
                        api::common_error(*visit.service, Fault::no_signature,
                                          "Request is missing Authentication Token"));
  }
  visit.service = open;
  const auto certificate = crypto::Certificate::from_der(as_bytes(proof.certificate));
  if (!certificate)
    return api::common_error(*open, Fault::denied,
                             "the certificate " + certificate.error().message);
  visit.comes = {.client_id = {}, .address = visit.arrival.address, .host = proof.host};
  auto outcome = setup_.world.devices.admit(*certificate, proof.authorities, visit.comes);
  if (const auto* denial = std::get_if<identity::Denial>(&outcome)) {
    return api::common_error(*open, denial->trouble ? Fault::unavailable : Fault::denied,
                             denial->why);
  }
  visit.device = std::get<identity::Admission>(std::move(outcome));
  iam::Caller caller;
  caller.account = setup_.world.registry.account;
  caller.arn = registry::arn(setup_.world.registry, "cert/" + certificate->id());
  visit.caller = std::make_shared<const iam::Caller>(std::move(caller));
  return std::nullopt;
}

std::optional<ApiError> FrontDoor::admit(Visit& visit) const {
  const net::Request& request = visit.arrival.request;
  if (!api::is_signed(request)) return admit_open(visit);
  if (const auto refusal = api::read_claim(request, visit.claim))
    return api::to_error(*visit.service, *refusal);
  const api::Service* const service = api::service_signed_as(visit.claim.service);
  if (service == nullptr) {
    return visit.refuse(Refused::unknown,
                        api::common_error(*visit.service, Fault::not_built,
                                          "The service '" + visit.claim.service +
                                              "' is not built into this server."));
  }
  visit.service = service;
  if (auto error = api::find(*service, request, visit.call)) {
    const bool known = visit.call.operation != nullptr && error->status != 501;
    return visit.refuse(known ? Refused::input : Refused::unknown, std::move(*error));
  }
  return verify(visit,
                api::demands_of(*visit.call.operation, visit.claim, setup_.world.registry.region));
}

net::Response FrontDoor::refuse_body(const net::Request& head, bool has_certificate) const {
  const api::Service* service = nullptr;
  api::Call call;
  if (api::Claim claim; !api::is_signed(head)) {
    service =
        api::find_open(has_certificate ? api::client_certificate : api::unsigned_call, head, call);
  } else if (!api::read_claim(head, claim)) {
    service = api::service_signed_as(claim.service);
  }
  if (service == nullptr) service = &guess_service(head);
  setup_.counts.refused(Refused::input);
  return api::render(
      *service,
      api::common_error(*service, Fault::too_large, "The payload exceeds the maximum size allowed"),
      api::new_request_id(setup_.random));
}

FrontDoor::Signed FrontDoor::who_signed(const Arrival& arrival, std::string_view service) const {
  Visit visit{arrival, setup_.shown.now(), api::service_named("iot")};
  Signed who{nullptr, {}, api::new_request_id(setup_.random)};
  std::optional<ApiError> error;
  if (const auto refusal = api::read_claim(arrival.request, visit.claim)) {
    error = api::to_error(*visit.service, *refusal);
  } else {
    error = verify(visit, {.service = service,
                           .region = setup_.world.registry.region,
                           .token_may_be_unsigned = true});
  }
  if (error) {
    setup_.counts.refused(visit.refused);
    who.error = std::move(*error);
  } else {
    who.caller = std::move(visit.caller);
    who.keys = global_keys(arrival, setup_.world.registry.region);
    who.security_token = std::move(visit.claim.security_token);
  }
  return who;
}

// ---- what it may do

// A refusal names a decision.
std::optional<ApiError> FrontDoor::authorise_device(Visit& visit) const {
  const registry::Registry& registry = setup_.world.registry;
  const api::Row& row = *visit.call.operation->row;
  const auto view = visit.keys.view();
  const auto resources = api::resources(
      row, visit.input,
      {.account = registry.account, .region = registry.region, .caller = {}, .path_of = {}});
  for (const std::string_view action : api::actions(row, visit.input)) {
    for (const std::string& resource : resources) {
      const policy::Request request{
          .action = action, .resource = resource, .keys = view, .now = visit.now};
      if (auto denial =
              setup_.world.devices.ask(*visit.device, visit.comes, "call_denied", request)) {
        return denial->trouble ? api::common_error(*visit.service, Fault::unavailable, denial->why)
                               : denied(*visit.call.operation, denial->why);
      }
    }
  }
  return std::nullopt;
}

std::optional<ApiError> FrontDoor::authorise(Visit& visit) const {
  if (visit.device) return authorise_device(visit);
  // Its row lets anybody call it, or nothing is forbidden to who calls.
  if (visit.caller == nullptr || visit.caller->may_do_anything()) return std::nullopt;
  const iam::Caller& caller = *visit.caller;
  const registry::Registry& registry = setup_.world.registry;
  const api::Row& row = *visit.call.operation->row;
  RequestKeys keys = visit.keys;
  keys.add(api::condition_keys(row, visit.input));

  // What cannot be read may be what a Deny asks for.
  std::optional<ApiError> unknown;
  const auto cannot_tell = [&](std::string message) {
    unknown = api::common_error(*visit.service, Fault::unavailable, std::move(message));
  };
  const auto path_of = [&](std::string_view kind, std::string_view name) -> std::string {
    const auto entity = iam::get_entity(
        setup_.world.iam,
        {kind == "user" ? iam::EntityKind::user : iam::EntityKind::role, std::string(name)});
    if (entity) return entity->path;
    if (entity.error().kind == iam::Kind::unavailable) cannot_tell(entity.error().message);
    return "/";
  };
  const auto check = [&](std::span<const std::string_view> actions,
                         std::string_view resource) -> std::optional<ApiError> {
    const std::size_t of_call = keys.size();
    auto of_resource = resource_keys(setup_.world, row, resource);
    if (!of_resource) {
      cannot_tell(of_resource.error().message);
      return unknown;
    }
    keys.add(*std::move(of_resource));
    const auto view = keys.view();
    std::optional<ApiError> error;
    for (const std::string_view action : actions) {
      const policy::Verdict verdict = iam::authorise(caller, {.action = action,
                                                              .resource = resource,
                                                              .keys = view,
                                                              .now = visit.now,
                                                              .principal = {}});
      if (verdict == policy::Verdict::allowed) continue;
      error = deny(*visit.call.operation, caller, action, resource, verdict);
      break;
    }
    keys.cut(of_call);
    return error;
  };

  const auto actions = api::actions(row, visit.input);
  if (!actions.empty()) {
    const auto resources = api::resources(row, visit.input,
                                          {.account = registry.account,
                                           .region = registry.region,
                                           .caller = caller.user_name,
                                           .path_of = path_of});
    if (unknown) return unknown;
    for (const std::string& resource : resources)
      if (auto error = check(actions, resource)) return error;
  }
  constexpr std::array<std::string_view, 1> pass_role{"iam:PassRole"};
  for (const api::RoleToPass& role : api::roles_to_pass(row, visit.input)) {
    const std::size_t of_call = keys.size();
    keys.add("iam:PassedToService", {std::string(role.service)});
    if (auto error = check(pass_role, role.role_arn)) return error;
    keys.cut(of_call);
  }
  return std::nullopt;
}

// ---- what comes of it

std::optional<ApiError> FrontDoor::handle(Visit& visit, Answer& answer) const {
  const api::Operation& operation = *visit.call.operation;
  answer.operation = &operation;
  if (visit.caller) answer.caller = visit.caller->arn;
  const Handler handler = handler_of(operation);
  if (handler == nullptr) return visit.refuse(Refused::unknown, api::not_built(operation));
  if (auto error = api::bind(visit.call, visit.arrival.request, visit.input))
    return visit.refuse(Refused::input, std::move(*error));
  visit.keys.add(global_keys(visit.arrival, setup_.world.registry.region));
  if (auto error = authorise(visit)) return visit.refuse(Refused::policy, std::move(*error));
  static const iam::Caller nobody;
  Context context{setup_.world, operation, visit.caller ? *visit.caller : nobody, visit.now,
                  visit.keys.view()};
  json::Value output = boost::json::object();
  const Instant began = setup_.clock.now();
  Outcome outcome = handler(context, visit.input, output);
  if (outcome && outcome->later) {
    put_off(std::move(outcome->later), answer, began);
    return std::nullopt;
  }
  setup_.counts.called(operation, outcome.ok(), setup_.clock.now() - began);
  if (!outcome) {
    visit.refused = Refused::count_;  // it was called
    return std::move(outcome.error());
  }
  answer.done = std::move(*outcome);
  answer.response = api::render(operation, output, answer.request_id);
  return std::nullopt;
}

void FrontDoor::put_off(Later later, Answer& answer, Instant began) const {
  answer.later = [this, later = std::move(later), &operation = *answer.operation, began,
                  request_id = answer.request_id,
                  caller = answer.caller](std::function<void(Answer)> then) {
    later.begin([this, &operation, began, request_id, caller, then = std::move(then)](
                    Outcome outcome, const json::Value& output) {
      setup_.counts.called(operation, outcome.ok(), setup_.clock.now() - began);
      Answer told{{}, {}, {}, &operation, request_id, {}, caller};
      if (outcome) {
        told.response = api::render(operation, output, request_id);
        told.done = std::move(*outcome);
      } else {
        told.error = outcome.error().name;
        told.response = api::render(*operation.service, outcome.error(), request_id);
      }
      then(std::move(told));
    });
  };
}

Answer FrontDoor::serve(const Arrival& arrival) const {
  Answer answer;
  answer.request_id = api::new_request_id(setup_.random);
  Visit visit{arrival, setup_.shown.now(), &guess_service(arrival.request)};
  std::optional<ApiError> error;
  try {
    error = admit(visit);
    if (!error) error = handle(visit, answer);
  } catch (const std::exception& bug) {
    log_error("api_bug", {{"request", answer.request_id}, {"what", bug.what()}});
    visit.refused = Refused::count_;  // what was written has its effects all the same
    error = api::common_error(*visit.service, Fault::internal,
                              "An internal error occurred; the log of the server tells more under "
                              "the id of this request.");
  }
  answer.operation = visit.call.operation;
  if (visit.caller) answer.caller = visit.caller->arn;
  if (error) {
    if (visit.refused != Refused::count_) setup_.counts.refused(visit.refused);
    answer.error = error->name;
    answer.response = api::render(*visit.service, *error, answer.request_id);
  }
  return answer;
}

}  // namespace gnomon::operations
