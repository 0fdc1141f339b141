#include "operations/front_door.h"

#include <chrono>
#include <exception>
#include <utility>

#include <boost/json.hpp>

#include "api/authority.h"
#include "api/render.h"
#include "base/log.h"
#include "iam/iam.h"

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
  json::Value input{};
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

ApiError refuse_key(const api::Service& service, iam::KeyRefusal why) {
  switch (why) {
    case iam::KeyRefusal::expired:
      return api::common_error(service, Fault::expired_token,
                               "The security token included in the request is expired");
    case iam::KeyRefusal::unknown:
    case iam::KeyRefusal::token:
    case iam::KeyRefusal::inactive:
      break;
  }
  return api::common_error(service, Fault::unknown_key,
                           "The security token included in the request is invalid.");
}

ApiError deny(const api::Service& service, const iam::Caller& caller, std::string_view action,
              std::string_view resource, policy::Verdict verdict) {
  std::string message = "User: " + caller.arn + " is not authorized to perform: ";
  message.append(action).append(" on resource: ").append(resource);
  if (verdict == policy::Verdict::explicit_deny) {
    message += " with an explicit deny in a policy";
  } else {
    message.append(" because no policy allows the ").append(action).append(" action");
  }
  return api::common_error(service, Fault::denied, std::move(message));
}

// The keys of a request, and what they point to.
class Keys {
 public:
  void add(std::string key, std::vector<std::string> values) {
    owned_.push_back({std::move(key), std::move(values)});
  }
  // Valid until the next add().
  std::span<const policy::KeyValues> view() {
    views_.clear();
    values_.clear();
    for (const api::KeyWithValues& one : owned_)
      values_.emplace_back(one.values.begin(), one.values.end());
    for (std::size_t i = 0; i < owned_.size(); ++i) views_.push_back({owned_[i].key, values_[i]});
    return views_;
  }

 private:
  std::vector<api::KeyWithValues> owned_;
  std::vector<std::vector<std::string_view>> values_;
  std::vector<policy::KeyValues> views_;
};

void add_global_keys(Keys& keys, const Arrival& arrival, std::string_view region) {
  keys.add("aws:SourceIp", {arrival.address});
  keys.add("aws:SecureTransport", {arrival.encrypted ? "true" : "false"});
  keys.add("aws:RequestedRegion", {std::string(region)});
  keys.add("aws:ViaAWSService", {"false"});
  for (const auto& [key, header] :
       {std::pair("aws:UserAgent", "user-agent"), std::pair("aws:Referer", "referer")}) {
    if (arrival.request.count(header) > 0)
      keys.add(key, {std::string(arrival.request.header(header))});
  }
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
  if (open == nullptr) {
    return visit.refuse(Refused::signature,
                        api::common_error(*visit.service, Fault::no_signature,
                                          "Request is missing Authentication Token"));
  }
  visit.service = open;
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

FrontDoor::Signed FrontDoor::who_signed(const net::Request& request,
                                        std::string_view service) const {
  const Arrival arrival{request, "", false};
  Visit visit{arrival, setup_.shown.now(), api::service_named("iot")};
  Signed who{nullptr, {}, api::new_request_id(setup_.random)};
  std::optional<ApiError> error;
  if (const auto refusal = api::read_claim(request, visit.claim)) {
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
  }
  return who;
}

// ---- what it may do

std::optional<ApiError> FrontDoor::authorise(const Visit& visit) const {
  if (visit.caller == nullptr) return std::nullopt;  // its row lets anybody call it
  const iam::Caller& caller = *visit.caller;
  const registry::Registry& registry = setup_.world.registry;
  const api::Row& row = *visit.call.operation->row;
  Keys keys;
  for (api::KeyWithValues& one : api::condition_keys(row, visit.input))
    keys.add(std::move(one.key), std::move(one.values));
  add_global_keys(keys, visit.arrival, registry.region);
  const auto check = [&](std::string_view action,
                         std::string_view resource) -> std::optional<ApiError> {
    const policy::Verdict verdict = iam::authorise(
        caller, {.action = action, .resource = resource, .keys = keys.view(), .now = visit.now});
    if (verdict == policy::Verdict::allowed) return std::nullopt;
    return deny(*visit.service, caller, action, resource, verdict);
  };
  const auto resources = api::resources(
      row, visit.input,
      {.account = registry.account,
       .region = registry.region,
       .caller = caller.user_name,
       .path_of = [](std::string_view, std::string_view) { return std::string("/"); }});
  for (const std::string_view action : api::actions(row, visit.input)) {
    for (const std::string& resource : resources) {
      if (auto error = check(action, resource)) return error;
    }
  }
  for (const api::RoleToPass& role : api::roles_to_pass(row, visit.input)) {
    keys.add("iam:PassedToService", {std::string(role.service)});
    if (auto error = check("iam:PassRole", role.role_arn)) return error;
  }
  return std::nullopt;
}

// ---- what comes of it

std::optional<ApiError> FrontDoor::handle(Visit& visit, Answer& answer) const {
  const api::Operation& operation = *visit.call.operation;
  const Handler handler = handler_of(operation);
  if (handler == nullptr) return visit.refuse(Refused::unknown, api::not_built(operation));
  if (auto error = api::bind(visit.call, visit.arrival.request, visit.input))
    return visit.refuse(Refused::input, std::move(*error));
  if (auto error = authorise(visit)) return visit.refuse(Refused::policy, std::move(*error));
  static const iam::Caller nobody;
  Context context{setup_.world, operation, visit.caller ? *visit.caller : nobody, visit.now};
  json::Value output = boost::json::object();
  const Instant began = setup_.clock.now();
  Outcome outcome = handler(context, visit.input, output);
  setup_.counts.called(operation, outcome.ok(), setup_.clock.now() - began);
  if (!outcome) {
    visit.refused = Refused::count_;  // it was called
    return std::move(outcome.error());
  }
  answer.done = std::move(*outcome);
  answer.response = api::render(operation, output, answer.request_id);
  return std::nullopt;
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
    answer.done = {};
    visit.refused = Refused::count_;
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
