#include "api/request.h"

#include <algorithm>
#include <stdexcept>

#include <boost/json.hpp>

#include "api/to_wire.h"
#include "api/uri.h"
#include "base/bytes.h"
#include "crypto/base64.h"

namespace gnomon::api {

namespace {

namespace bj = boost::json;

std::string text_of(const Shape& shape, const bj::value& value) {
  // Texts are themselves; the rest is as in XML.
  return shape.type == Type::string ? std::string(value.as_string()) : to_text(shape, value);
}

void append_form(std::string& form, const std::string& name, const std::string& value) {
  form += '&' + percent_encode(name) + '=' + percent_encode(value);
}

// One value of the query protocol: "Tags.member.1.Key=a".
void append_value(std::string& form, const std::string& name, const Shape& shape,
                  const bj::value& value) {
  if (shape.type == Type::structure) {
    for (const Member& member : shape.members) {
      const bj::value* const one = value.as_object().if_contains(member.name);
      if (one == nullptr) continue;
      append_value(form,
                   name.empty() ? std::string(member.wire) : name + '.' + std::string(member.wire),
                   *member.shape, *one);
    }
  } else if (shape.type == Type::list) {
    int index = 0;
    for (const bj::value& one : value.as_array()) {
      append_value(form, name + ".member." + std::to_string(++index), *shape.element, one);
    }
    if (index == 0) append_form(form, name, "");
  } else if (shape.type == Type::map) {
    int index = 0;
    for (const auto& [key, one] : value.as_object()) {
      const std::string entry = name + ".entry." + std::to_string(++index);
      append_form(form, entry + ".key", std::string(key));
      append_value(form, entry + ".value", *shape.element, one);
    }
  } else {
    append_form(form, name, text_of(shape, value));
  }
}

void check_members(const Operation& operation, const bj::object& input) {
  for (const auto& [name, value] : input) {
    if (operation.input != nullptr &&
        std::ranges::find(operation.input->members, std::string_view(name), &Member::name) !=
            operation.input->members.end()) {
      continue;
    }
    throw std::logic_error(std::string(operation.name) + " has no " + std::string(name));
  }
}

std::string path_of(const Operation& operation, const bj::object& input) {
  std::string path;
  for (const Segment& segment : operation.route) {
    path += '/';
    if (segment.kind == Segment::Kind::literal) {
      path += segment.text;
      continue;
    }
    const auto member = std::ranges::find_if(operation.input->members, [&](const Member& each) {
      return each.location == Location::path && each.wire == segment.text;
    });
    const bj::value* const value = input.if_contains(member->name);
    if (value == nullptr) {
      throw std::logic_error(std::string(operation.name) + " needs " + std::string(member->name));
    }
    path += percent_encode(text_of(*member->shape, *value));
  }
  return path;
}

// What does not stand in the path.
void write_member(net::Request& request, std::string& query, const Member& member,
                  const bj::value& value) {
  if (member.location == Location::query && member.shape->type == Type::list) {
    for (const bj::value& one : value.as_array())
      append_form(query, std::string(member.wire), text_of(*member.shape->element, one));
  } else if (member.location == Location::query) {
    append_form(query, std::string(member.wire), text_of(*member.shape, value));
  } else if (member.location == Location::header) {
    request.headers.push_back(
        {std::string(member.wire), member.json ? crypto::base64(as_bytes(json::write(value)))
                                               : text_of(*member.shape, value)});
  } else if (member.location == Location::payload) {
    request.body = std::string_view(value.as_string());
  }
}

void write_rest(net::Request& request, const Operation& operation, const bj::object& input) {
  request.target = path_of(operation, input);
  if (operation.input == nullptr) return;
  std::string query;
  bool documented = false;
  for (const Member& member : operation.input->members) {
    if (member.location == Location::body) documented = true;
    if (const bj::value* const value = input.if_contains(member.name))
      write_member(request, query, member, *value);
  }
  if (!query.empty()) request.target += '?' + query.substr(1);
  if (!documented) return;
  request.body = json::write(to_json(*operation.input, input));
  request.headers.push_back({"Content-Type", "application/json"});
}

}  // namespace

net::Request write_request(const Operation& operation, const json::Value& input) {
  net::Request request{
      .method = std::string(operation.method), .target = "/", .headers = {}, .body = {}};
  const Service& service = *operation.service;
  check_members(operation, input.as_object());
  if (service.protocol == Protocol::rest_json) {
    write_rest(request, operation, input.as_object());
  } else if (service.protocol == Protocol::query) {
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"});
    request.body =
        "Action=" + std::string(operation.name) + "&Version=" + std::string(service.version);
    if (operation.input != nullptr) append_value(request.body, "", *operation.input, input);
  } else {
    request.headers.push_back(
        {"Content-Type", "application/x-amz-json-" + std::string(service.json_version)});
    request.headers.push_back(
        {"X-Amz-Target", std::string(service.target_prefix) + '.' + std::string(operation.name)});
    request.body =
        operation.input == nullptr ? "{}" : json::write(to_json(*operation.input, input));
  }
  return request;
}

}  // namespace gnomon::api
