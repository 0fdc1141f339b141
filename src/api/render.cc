#include "api/render.h"

#include <stdexcept>

#include <boost/json.hpp>

#include "api/dates.h"
#include "api/to_wire.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

std::string json_type(const Service& service) {
  if (service.protocol == Protocol::rest_json) return "application/json";
  return "application/x-amz-json-" + std::string(service.json_version);
}

net::Response begin(int status, std::string content_type, std::string_view request_id) {
  net::Response response;
  response.status = status;
  if (!content_type.empty()) response.headers.push_back({"content-type", std::move(content_type)});
  response.headers.push_back({"x-amzn-RequestId", std::string(request_id)});
  return response;
}

void add_trace(const Service& service, std::string_view request_id, bj::object& body) {
  if (!service.trace.empty()) body.emplace(service.trace, request_id);
}

std::string open_element(const Service& service, const std::string& name) {
  return "<" + name + " xmlns=\"" + std::string(service.xml_namespace) + "\">";
}

// What of an output of rest-json is not in its document. True: the body is done.
bool render_places(const Shape& shape, const bj::object& output, net::Response& response) {
  bool done = false;
  for (const Member& member : shape.members) {
    if (member.location == Location::payload) done = true;
    const bj::value* const value = output.if_contains(member.name);
    if (value == nullptr || value->is_null()) continue;
    switch (member.location) {
      case Location::payload:
        if (member.shape->type == Type::structure) {
          json::write(response.body, to_json(*member.shape, *value));
        } else {
          response.body = std::string_view(value->as_string());
        }
        break;
      case Location::status:
        response.status = value->to_number<int>();
        break;
      case Location::header: {
        const bool time = member.shape->type == Type::timestamp;
        response.headers.push_back(
            {std::string(member.wire), time ? http_date({value->to_number<std::int64_t>()})
                                            : to_text(*member.shape, *value)});
        break;
      }
      case Location::prefix_headers:
        for (const auto& [key, one] : value->as_object()) {
          response.headers.push_back(
              {std::string(member.wire) + std::string(key), to_text(*member.shape->element, one)});
        }
        break;
      default:
        break;
    }
  }
  return done;
}

net::Response render_xml(const Operation& operation, const bj::value& output,
                         std::string_view request_id) {
  net::Response response = begin(operation.status, "text/xml", request_id);
  const std::string name = std::string(operation.name) + "Response";
  std::string& out = response.body;
  out = open_element(*operation.service, name);
  if (operation.output != nullptr) {
    if (!operation.result.empty()) out.append("<").append(operation.result).append(">");
    to_xml(out, *operation.output, output);
    if (!operation.result.empty()) out.append("</").append(operation.result).append(">");
  }
  out.append("<ResponseMetadata><RequestId>").append(request_id);
  out.append("</RequestId></ResponseMetadata></").append(name).append(">");
  return response;
}

}  // namespace

std::string new_request_id(Random& random) {
  std::string id = random.hex(32);
  id[12] = '4';                      // RFC 9562: version 4,
  id[16] = "89ab"[random.below(4)];  // and its variant
  for (const std::size_t at : {20U, 16U, 12U, 8U}) id.insert(at, 1, '-');
  return id;
}

net::Response render(const Operation& operation, const json::Value& output,
                     std::string_view request_id) {
  const Service& service = *operation.service;
  if (service.protocol == Protocol::query) return render_xml(operation, output, request_id);
  if (operation.says_ok) {
    net::Response response = begin(operation.status, json_type(service), request_id);
    bj::object body{{"message", "OK"}};
    add_trace(service, request_id, body);
    json::write(response.body, bj::value(std::move(body)));
    return response;
  }
  if (operation.output == nullptr) {
    if (service.protocol == Protocol::rest_json) return begin(operation.status, "", request_id);
    net::Response response = begin(operation.status, json_type(service), request_id);
    response.body = "{}";
    return response;
  }
  net::Response response = begin(operation.status, json_type(service), request_id);
  const json::Value document = to_json(*operation.output, output);
  if (!render_places(*operation.output, output.as_object(), response)) {
    json::write(response.body, document);
  }
  return response;
}

net::Response render(const Service& service, const ApiError& error, std::string_view request_id) {
  const ErrorShape* const shape = error_named(service, error.name);
  const std::string_view code = shape == nullptr ? std::string_view(error.name) : shape->code;
  if (service.protocol == Protocol::query) {
    net::Response response = begin(error.status, "text/xml", request_id);
    std::string& out = response.body;
    out = open_element(service, "ErrorResponse") + "<Error><Type>";
    out.append(error.status < 500 ? "Sender" : "Receiver").append("</Type><Code>");
    out.append(code).append("</Code><Message>");
    append_xml_text(out, error.message);
    out += "</Message>";
    for (const auto& [name, value] : error.members) {
      out.append("<").append(name).append(">");
      append_xml_text(out, value);
      out.append("</").append(name).append(">");
    }
    out.append("</Error><RequestId>").append(request_id).append("</RequestId></ErrorResponse>");
    return response;
  }
  net::Response response = begin(error.status, json_type(service), request_id);
  response.headers.push_back({"x-amzn-ErrorType", error.name});
  bj::object body;
  if (service.protocol == Protocol::json) body.emplace("__type", error.name);
  body.emplace(shape == nullptr ? std::string_view("message") : shape->message_wire, error.message);
  for (const auto& [name, value] : error.members) body.emplace(name, value);
  add_trace(service, request_id, body);
  json::write(response.body, bj::value(std::move(body)));
  return response;
}

}  // namespace gnomon::api
