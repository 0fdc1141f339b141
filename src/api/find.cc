// Which operation a request calls.
#include <algorithm>

#include "api/operation.h"
#include "base/limits.h"

namespace gnomon::api {
namespace {

// The segments of a path as they are written; nothing if it has no one spelling.
std::optional<std::vector<std::string_view>> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view segment = path.substr(0, end);
    if (segment.empty() || segment == "." || segment == ".." ||
        segments.size() == limits::path_segments_max) {
      return std::nullopt;
    }
    segments.push_back(segment);
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
    if (path.empty()) return std::nullopt;  // "//" at the end
  }
  return segments;
}

bool fits(const Operation& operation, const std::vector<std::string_view>& segments) {
  const std::span<const Segment> route = operation.route;
  for (std::size_t i = 0; i < route.size(); ++i) {
    if (i == segments.size()) return false;
    if (route[i].kind == Segment::Kind::greedy) return true;
    if (route[i].kind == Segment::Kind::literal && route[i].text != segments[i]) return false;
  }
  return route.size() == segments.size();
}

std::string_view first_literal(const Operation* operation) {
  const std::span<const Segment> route = operation->route;
  const bool literal = !route.empty() && route[0].kind == Segment::Kind::literal;
  return literal ? route[0].text : std::string_view();
}

const Operation* match(const Service& service, std::string_view method,
                       const std::vector<std::string_view>& segments) {
  const std::string_view first = segments.empty() ? std::string_view() : segments[0];
  for (const std::string_view key : {first, std::string_view()}) {
    const auto range = std::ranges::equal_range(service.routes, key, {}, first_literal);
    for (const Operation* operation : range) {
      if (operation->method == method && fits(*operation, segments)) return operation;
    }
    if (key.empty()) break;
  }
  return nullptr;
}

// False: an escape is wrong.
bool read_labels(const Operation& operation, const std::vector<std::string_view>& segments,
                 std::vector<Parameter>& labels) {
  labels.clear();
  for (std::size_t i = 0; i < operation.route.size(); ++i) {
    const Segment& segment = operation.route[i];
    if (segment.kind == Segment::Kind::literal) continue;
    std::string text(segments[i]);
    if (segment.kind == Segment::Kind::greedy) {
      for (const std::string_view more : std::span(segments).subspan(i + 1)) {
        text.append("/").append(more);
      }
    }
    auto decoded = percent_decode(text);
    if (!decoded) return false;
    labels.push_back({std::string(segment.text), std::move(*decoded)});
  }
  return true;
}

ApiError unreadable(const Service& service, std::string_view what) {
  return common_error(service, Fault::malformed,
                      "The " + std::string(what) + " of the request cannot be read.");
}

std::optional<ApiError> find_by_path(const Service& service, const net::Request& request,
                                     Call& call) {
  const auto segments = split_path(request.path());
  if (segments) call.operation = match(service, request.method, *segments);
  if (call.operation == nullptr) {
    return common_error(service, Fault::unknown_operation,
                        request.method + " " + std::string(request.path()) +
                            " is no operation of " + std::string(service.name) + ".");
  }
  if (!read_labels(*call.operation, *segments, call.labels)) return unreadable(service, "path");
  return std::nullopt;
}

std::optional<ApiError> find_by_target(const Service& service, const net::Request& request,
                                       Call& call) {
  const std::string_view target = request.header("x-amz-target");
  const std::size_t dot = target.rfind('.');
  if (request.method == "POST" && request.count("x-amz-target") == 1 &&
      dot != std::string_view::npos && target.substr(0, dot) == service.target_prefix) {
    call.operation = operation_named(service, target.substr(dot + 1));
  }
  if (call.operation != nullptr) return std::nullopt;
  ApiError error = common_error(
      service, Fault::unknown_operation,
      "'" + std::string(target) + "' is no operation of " + std::string(service.name) + ".");
  error.status = 400;
  return error;
}

std::optional<ApiError> find_by_action(const Service& service, const net::Request& request,
                                       Call& call) {
  if (!request.body.empty()) {
    auto form = read_parameters(request.body, Plus::space);
    if (!form) return unreadable(service, "form");
    call.parameters.insert(call.parameters.end(), form->begin(), form->end());
    if (call.parameters.size() > limits::parameters_max) return unreadable(service, "form");
  }
  std::string_view action, version;
  for (const Parameter& parameter : call.parameters) {
    std::string_view* const place = parameter.name == "Action"    ? &action
                                    : parameter.name == "Version" ? &version
                                                                  : nullptr;
    if (place == nullptr) continue;
    if (!place->empty()) {
      return common_error(service, Fault::malformed, "'" + parameter.name + "' was sent twice.");
    }
    *place = parameter.value;
  }
  const bool fits = (version.empty() || version == service.version) &&
                    (request.path() == "/" || request.path().empty());
  if (fits && !action.empty()) call.operation = operation_named(service, action);
  if (call.operation != nullptr) return std::nullopt;
  return common_error(service, Fault::unknown_operation,
                      "Could not find operation " + std::string(action) + " for version " +
                          std::string(version.empty() ? service.version : version));
}

}  // namespace

std::optional<ApiError> find(const Service& service, const net::Request& request, Call& call) {
  call = {};
  auto parameters = read_parameters(query_of(request.target));
  if (!parameters) return unreadable(service, "query");
  call.parameters = std::move(*parameters);
  auto error = service.protocol == Protocol::rest_json ? find_by_path(service, request, call)
               : service.protocol == Protocol::json    ? find_by_target(service, request, call)
                                                       : find_by_action(service, request, call);
  if (!error && call.operation->row == nullptr) error = not_built(*call.operation);
  return error;
}

const Service* find_open(Auth auth, const net::Request& request, Call& call) {
  for (const Service* service : services()) {
    if (!find(*service, request, call) && (call.operation->row->auth & auth) != 0) return service;
  }
  call = {};
  return nullptr;
}

Demands demands_of(const Operation& operation, const Claim& claim, std::string_view region) {
  constexpr std::string_view global_region = "us-east-1";
  const Scope scope = operation.service->scope;
  Demands demands;
  const bool older = claim.service == older_name_of_iot && operation.service->name == "iot";
  demands.service = older ? older_name_of_iot : operation.service->signing_name;
  const bool global =
      scope == Scope::global || (scope == Scope::either && claim.region == global_region);
  demands.region = global ? global_region : region;
  demands.bound_headers = operation.bound_headers;
  if (operation.row != nullptr && operation.row->payload == PayloadMode::may_be_unsigned) {
    demands.payload = Demands::Payload::unsigned_;
  }
  return demands;
}

ApiError to_error(const Service& service, const Refusal& refusal) {
  const Fault fault = refusal.reason == Refusal::Reason::missing      ? Fault::no_signature
                      : refusal.reason == Refusal::Reason::incomplete ? Fault::incomplete_signature
                                                                      : Fault::wrong_signature;
  return common_error(service, fault, refusal.message);
}

}  // namespace gnomon::api
