#include "api/generate/model.h"

#include <algorithm>

#include <boost/json.hpp>

#include "api/generate/rows.h"
#include "json/json.h"

namespace gnomon::api::generate {
namespace {

namespace bj = boost::json;

std::string text_of(const bj::object& object, std::string_view name) {
  const bj::value* const value = object.if_contains(name);
  return value == nullptr ? std::string() : std::string(value->as_string());
}

int number_of(const bj::object& object, std::string_view name, int otherwise) {
  const bj::value* const value = object.if_contains(name);
  return value == nullptr ? otherwise : value->to_number<int>();
}

bool flag_of(const bj::object& object, std::string_view name) {
  const bj::value* const value = object.if_contains(name);
  return value != nullptr && value->as_bool();
}

std::string shape_of(const bj::object& object, std::string_view name) {
  const bj::value* const value = object.if_contains(name);
  return value == nullptr ? std::string() : text_of(value->as_object(), "shape");
}

std::vector<std::string> texts_of(const bj::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const bj::value* const value = object.if_contains(name);
  if (value == nullptr) return texts;
  for (const bj::value& one : value->as_array()) texts.emplace_back(one.as_string());
  return texts;
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

MemberModel read_member(std::string name, const bj::object& object, const std::string& payload,
                        const std::vector<std::string>& required) {
  MemberModel member;
  member.name = std::move(name);
  member.shape = text_of(object, "shape");
  member.location = text_of(object, "location");
  if (member.location.empty()) member.location = member.name == payload ? "payload" : "body";
  member.wire = text_of(object, "locationName");
  if (member.wire.empty()) member.wire = member.name;
  if (member.location.starts_with("header")) member.wire = lower_case(member.wire);
  member.required = std::ranges::find(required, member.name) != required.end();
  member.json = flag_of(object, "jsonvalue");
  return member;
}

ShapeModel read_shape(const std::string& name, const bj::object& object) {
  ShapeModel shape;
  shape.type = text_of(object, "type");
  shape.pattern = text_of(object, "pattern");
  shape.values = texts_of(object, "enum");
  shape.flattened = flag_of(object, "flattened");
  if (const auto* least = object.if_contains("min")) shape.least = least->to_number<double>();
  if (const auto* most = object.if_contains("max")) shape.most = most->to_number<double>();
  shape.key = shape_of(object, "key");
  shape.element = shape_of(object, shape.type == "map" ? "value" : "member");
  shape.element_wire = "member";
  if (const auto* member = object.if_contains("member")) {
    const std::string wire = text_of(member->as_object(), "locationName");
    if (!wire.empty()) shape.element_wire = wire;
  }
  shape.exception = flag_of(object, "exception");
  shape.status = flag_of(object, "fault") ? 500 : 400;
  shape.code = name;
  if (const auto* error = object.if_contains("error")) {
    shape.status = number_of(error->as_object(), "httpStatusCode", shape.status);
    const std::string code = text_of(error->as_object(), "code");
    if (!code.empty()) shape.code = code;
  }
  if (const auto* members = object.if_contains("members")) {
    const std::vector<std::string> required = texts_of(object, "required");
    const std::string payload = text_of(object, "payload");
    for (const auto& [key, value] : members->as_object()) {
      shape.members.push_back(read_member(key, value.as_object(), payload, required));
    }
  }
  return shape;
}

OperationModel read_operation(const bj::object& object) {
  OperationModel operation;
  const bj::object& http = object.at("http").as_object();
  operation.method = text_of(http, "method");
  operation.uri = text_of(http, "requestUri");
  operation.status = number_of(http, "responseCode", 200);
  operation.input = shape_of(object, "input");
  operation.output = shape_of(object, "output");
  if (const auto* output = object.if_contains("output")) {
    operation.result = text_of(output->as_object(), "resultWrapper");
  }
  operation.errors = texts_of(object, "errors");
  return operation;
}

}  // namespace

const ShapeModel& Model::shape(const std::string& name) const {
  const auto found = shapes.find(name);
  if (found == shapes.end()) throw Failure("error: the model has no shape '" + name + "'");
  return found->second;
}

const MemberModel* Model::member(const std::string& name, std::string_view path) const {
  if (name.empty()) return nullptr;
  const std::size_t dot = path.find('.');
  for (const MemberModel& member : shape(name).members) {
    if (member.name != path.substr(0, dot)) continue;
    if (dot == std::string_view::npos) return &member;
    return this->member(member.shape, path.substr(dot + 1));
  }
  return nullptr;
}

Model read_model(const std::string& file, std::string_view text) {
  const auto parsed = json::parse(text, {.bytes_max = 16 * MiB});
  if (!parsed) throw Failure(file + ": error: " + parsed.error().message);
  const bj::object& all = parsed->as_object();
  const bj::object& metadata = all.at("metadata").as_object();
  Model model;
  model.protocol = text_of(metadata, "protocol");
  model.version = text_of(metadata, "apiVersion");
  model.signing_name = text_of(metadata, "signingName");
  if (model.signing_name.empty()) model.signing_name = text_of(metadata, "endpointPrefix");
  model.target_prefix = text_of(metadata, "targetPrefix");
  model.json_version = text_of(metadata, "jsonVersion");
  model.xml_namespace = text_of(metadata, "xmlNamespace");
  for (const auto& [name, value] : all.at("shapes").as_object()) {
    model.shapes.emplace(name, read_shape(name, value.as_object()));
  }
  for (const auto& [name, value] : all.at("operations").as_object()) {
    model.operations.emplace(name, read_operation(value.as_object()));
  }
  return model;
}

}  // namespace gnomon::api::generate
