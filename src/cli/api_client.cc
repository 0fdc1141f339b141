#include "cli/api_client.h"

#include <chrono>
#include <utility>

#include <boost/json.hpp>

#include "api/request.h"
#include "api/sigv4.h"
#include "api/tables.h"

namespace gnomon::cli {

namespace {

constexpr std::chrono::seconds patience{60};

Code code_of(int status) {
  switch (status) {
    case 403:
      return Code::denied;
    case 404:
      return Code::not_found;
    case 409:
      return Code::conflict;
    case 501:
      return Code::unsupported;
    default:
      return status >= 500 ? Code::unavailable : Code::invalid;
  }
}

// The text of an element of an answer in XML: of errors, which have no others inside.
std::string element(std::string_view xml, const std::string& name) {
  const std::size_t from = xml.find("<" + name + ">");
  const std::size_t to = xml.find("</" + name + ">");
  if (from == std::string_view::npos || to == std::string_view::npos) return "";
  const std::size_t begin = from + name.size() + 2;
  return begin > to ? "" : std::string(xml.substr(begin, to - begin));
}

// "ResourceNotFoundException: thing lamp does not exist"
std::string reason_of(const net::Response& response) {
  std::string name, message;
  for (const net::Header& header : response.headers)
    if (net::same_name(header.name, "x-amzn-errortype")) name = header.value;
  if (const auto document = json::parse(response.body)) {
    message = text_of(*document, "message");
    if (message.empty()) message = text_of(*document, "Message");
  } else {
    name = element(response.body, "Code");
    message = element(response.body, "Message");
  }
  if (name.empty()) name = "HTTP " + std::to_string(response.status);
  return message.empty() ? name : name + ": " + message;
}

}  // namespace

std::string text_of(const json::Value& answer, std::string_view name) {
  const auto* const object = answer.if_object();
  const auto* const member = object == nullptr ? nullptr : object->if_contains(name);
  const auto* const text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

Result<ApiClient> ApiClient::make(const ApiServer& server) {
  HttpServerAt at{.address = to_string(server.at), .tls = nullptr, .patience = patience};
  if (server.tls) {
    net::TlsConfig::Client settings;
    settings.authorities = server.authorities;
    settings.protocols = {"http/1.1"};
    auto config = net::TlsConfig::client(settings);
    if (!config) return Error{config.error().code, server.ca + ": " + config.error().message};
    at.tls = std::move(*config);
  }
  return ApiClient(server, std::move(at));
}

Result<json::Value> ApiClient::call(std::string_view service, std::string_view operation,
                                    const json::Value& input) {
  const api::Service& called = *api::service_named(service);
  net::Request request = api::write_request(*api::operation_named(called, operation), input);
  request.headers.insert(request.headers.begin(), {"Host", at_.address});
  const bool global = called.scope == api::Scope::global;
  api::sign(request,
            {.access_key_id = server_.access_key_id,
             .secret = server_.secret,
             .security_token = server_.security_token,
             .region = global ? "us-east-1" : server_.region,
             .service = std::string(called.signing_name)},
            wall_.now());
  const std::string name(operation);
  const auto response = exchange(at_, request);
  if (!response) return Error{response.error().code, name + ": " + response.error().message};
  if (response->status >= 300)
    return Error{code_of(response->status), name + ": " + reason_of(*response)};
  if (called.protocol == api::Protocol::query || response->body.empty())
    return json::Value(boost::json::object());
  auto document = json::parse(response->body);
  if (document) return document;
  return Error{Code::unavailable, name + ": the answer is no JSON: " + document.error().message};
}

Result<json::Value> ApiClient::iot(std::string_view operation, const json::Value& input) {
  return call("iot", operation, input);
}

}  // namespace gnomon::cli
