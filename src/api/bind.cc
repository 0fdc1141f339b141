// The input of a call: from path, query, headers and body to one object.
#include <algorithm>

#include <boost/json.hpp>

#include "api/operation.h"
#include "api/values.h"
#include "base/limits.h"
#include "crypto/base64.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

class Binder {
 public:
  Binder(const Call& call, const net::Request& request) : call_(call), request_(request) {}

  Trouble bind(bj::object& input) {
    const Shape& shape = *call_.operation->input;
    const bool documented = std::ranges::any_of(
        shape.members, [](const Member& member) { return member.location == Location::body; });
    bj::value document = bj::object();
    if (documented) {
      if (auto trouble = read_document(document)) return trouble;
      if (!document.is_object()) return "The body is not an object.";
    }
    for (const Member& member : shape.members) {
      bj::value value;
      if (auto trouble = read(member, document.get_object(), value)) return trouble;
      if (!value.is_null()) input.emplace(member.name, std::move(value));
    }
    return std::nullopt;
  }

 private:
  Trouble read_document(bj::value& document) const {
    if (request_.body.empty()) return std::nullopt;
    auto parsed = json::parse(request_.body, {.bytes_max = limits::api_document_bytes_max});
    if (!parsed) return "The body is not valid JSON: " + parsed.error().message;
    document = std::move(*parsed);
    return std::nullopt;
  }

  Trouble read(const Member& member, const bj::object& document, bj::value& out) const {
    switch (member.location) {
      case Location::body: {
        const bj::value* const value = document.if_contains(member.wire);
        if (value == nullptr || value->is_null()) return std::nullopt;
        return from_json(*member.shape, *value, std::string(member.name), out);
      }
      case Location::payload:
        return read_payload(member, out);
      case Location::path:
        return read_once(member, call_.labels, out);
      case Location::query:
        if (member.shape->type == Type::list) return read_list(member, out);
        return read_once(member, call_.parameters, out);
      case Location::header:
        return read_header(member, out);
      case Location::prefix_headers:
        return read_headers(member, out);
      case Location::status:
        break;  // of answers
    }
    return std::nullopt;
  }

  Trouble read_payload(const Member& member, bj::value& out) const {
    if (member.shape->type == Type::blob || member.shape->type == Type::string) {
      // A message without bytes is one; a document is missing then.
      if (!request_.body.empty() || !member.required) out = bj::string(request_.body);
      return std::nullopt;
    }
    bj::value document;
    auto trouble = read_document(document);
    if (trouble || document.is_null()) return trouble;
    return from_json(*member.shape, document, std::string(member.name), out);
  }

  static Trouble read_once(const Member& member, const std::vector<Parameter>& parameters,
                           bj::value& out) {
    const Parameter* found = nullptr;
    for (const Parameter& parameter : parameters) {
      if (parameter.name != member.wire) continue;
      if (found != nullptr) return "'" + parameter.name + "' was sent twice.";
      found = &parameter;
    }
    if (found == nullptr) return std::nullopt;
    return from_text(*member.shape, found->value, std::string(member.name), out);
  }

  Trouble read_list(const Member& member, bj::value& out) const {
    bj::array list;
    for (const Parameter& parameter : call_.parameters) {
      if (parameter.name != member.wire) continue;
      auto trouble = from_text(*member.shape->element, parameter.value, std::string(member.name),
                               list.emplace_back(nullptr));
      if (trouble) return trouble;
    }
    if (!list.empty()) out = std::move(list);
    return std::nullopt;
  }

  Trouble read_header(const Member& member, bj::value& out) const {
    const std::size_t count = request_.count(member.wire);
    if (count == 0) return std::nullopt;
    if (count > 1) return "The header '" + std::string(member.wire) + "' was sent twice.";
    const std::string_view text = request_.header(member.wire);
    if (!member.json) return from_text(*member.shape, text, std::string(member.name), out);
    const auto decoded = crypto::from_base64(text);
    if (!decoded) return "The header '" + std::string(member.wire) + "' is not base64.";
    auto parsed = json::parse(*decoded);
    // botocore writes what the user gives as JSON, which is a text of JSON already.
    if (parsed && parsed->is_string()) parsed = json::parse(parsed->get_string());
    if (!parsed) {
      return "The header '" + std::string(member.wire) +
             "' is not valid JSON: " + parsed.error().message;
    }
    out = std::move(*parsed);
    return std::nullopt;
  }

  Trouble read_headers(const Member& member, bj::value& out) const {
    bj::object map;
    for (const net::Header& header : request_.headers) {
      const std::string name = net::lower_case(header.name);
      if (!name.starts_with(member.wire)) continue;
      bj::value value;
      auto trouble =
          from_text(*member.shape->element, header.value, std::string(member.name), value);
      if (trouble) return trouble;
      if (!map.emplace(name.substr(member.wire.size()), std::move(value)).second) {
        return "The header '" + name + "' was sent twice.";
      }
    }
    out = std::move(map);
    return std::nullopt;
  }

  const Call& call_;
  const net::Request& request_;
};

}  // namespace

std::optional<ApiError> bind(const Call& call, const net::Request& request, json::Value& input) {
  const Operation& operation = *call.operation;
  input = bj::object();
  if (operation.input == nullptr) return std::nullopt;
  Trouble trouble;
  if (operation.service->protocol == Protocol::query) {
    trouble = from_form(*operation.input, call.parameters, input);
  } else {
    trouble = Binder(call, request).bind(input.get_object());
  }
  if (trouble) return common_error(*operation.service, Fault::malformed, std::move(*trouble));
  auto wrong = validate(*operation.input, input);
  if (wrong) return common_error(*operation.service, Fault::invalid, std::move(*wrong));
  return std::nullopt;
}

}  // namespace gnomon::api
