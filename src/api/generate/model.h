// A service model as it is published: operations and shapes, read from JSON (api/models/*.json).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::api::generate {

struct MemberModel {
  std::string name, wire, shape;
  std::string location;  // as the model has it, or "body", "payload"
  bool required = false, json = false;
};

struct ShapeModel {
  std::string type;  // "structure", "integer", …
  std::vector<MemberModel> members;
  std::string element, key, element_wire;  // shapes of a list's or map's
  bool flattened = false;
  std::vector<std::string> values;
  std::string pattern;
  std::optional<double> least, most;
  bool exception = false;
  int status = 0;
  std::string code;
};

struct OperationModel {
  std::string method, uri;
  int status = 200;
  std::string input, output, result;  // "": none
  std::vector<std::string> errors;
};

struct Model {
  std::string protocol, version, signing_name, target_prefix, json_version, xml_namespace;
  std::map<std::string, OperationModel> operations;
  std::map<std::string, ShapeModel> shapes;

  // Throws Failure.
  [[nodiscard]] const ShapeModel& shape(const std::string& name) const;
  // The member at "a.b" below the structure `shape`; null: there is none.
  [[nodiscard]] const MemberModel* member(const std::string& shape, std::string_view path) const;
};

// Throws Failure.
[[nodiscard]] Model read_model(const std::string& file, std::string_view text);

}  // namespace gnomon::api::generate
