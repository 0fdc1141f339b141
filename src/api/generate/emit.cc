#include "api/generate/emit.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "api/generate/expression.h"

namespace gnomon::api::generate {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      char octal[5];
      std::snprintf(octal, sizeof(octal), "\\%03o", static_cast<unsigned>(byte));
      out += octal;
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", value);
  return text;
}

// An array of the file, whose elements others refer to by spans.
struct Pool {
  std::string type, name;
  std::vector<std::string> elements;

  std::string add(std::vector<std::string> more) {
    if (more.empty()) return "{}";
    const std::size_t begin = elements.size();
    elements.insert(elements.end(), more.begin(), more.end());
    return "{" + name + " + " + std::to_string(begin) + ", " + std::to_string(more.size()) + "}";
  }
  // An array of nothing is no C++.
  [[nodiscard]] std::string declared() const {
    if (elements.empty()) return {};
    return "extern const " + type + " " + name + "[" + std::to_string(elements.size()) + "];\n";
  }
  [[nodiscard]] std::string defined() const {
    if (elements.empty()) return {};
    std::string out =
        "constinit const " + type + " " + name + "[" + std::to_string(elements.size()) + "] = {\n";
    for (const std::string& element : elements) out += "  " + element + ",\n";
    return out + "};\n";
  }
};

std::string type_of(const ShapeModel& shape) {
  if (shape.type == "long" || shape.type == "integer") return "Type::integer";
  if (shape.type == "double" || shape.type == "float") return "Type::number";
  return "Type::" + shape.type;
}

std::string location_of(const std::string& location) {
  if (location == "uri") return "Location::path";
  if (location == "querystring") return "Location::query";
  if (location == "headers") return "Location::prefix_headers";
  if (location == "statusCode") return "Location::status";
  return "Location::" + location;
}

struct SegmentText {
  int rank = 0;  // literal, label, greedy
  std::string text;
  auto operator<=>(const SegmentText&) const = default;
};

std::vector<SegmentText> read_route(const std::string& uri) {
  if (uri.find('?') != std::string::npos) throw Failure("error: a query in the route " + uri);
  std::vector<SegmentText> segments;
  std::string_view rest = uri;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.empty()) continue;
    if (text[0] != '{') {
      segments.push_back({0, std::string(text)});
    } else if (text.ends_with("+}")) {
      segments.push_back({2, std::string(text.substr(1, text.size() - 3))});
    } else {
      segments.push_back({1, std::string(text.substr(1, text.size() - 2))});
    }
  }
  return segments;
}

class Emitter {
 public:
  Emitter(const Model& model, const Rows& rows) : model_(model), rows_(rows) {}

  std::string emit() {
    collect_shapes();
    for (const auto& [name, at] : shape_at_) add_shape(name);
    for (const auto& [name, at] : error_at_) add_error(name);
    for (const auto& [name, operation] : model_.operations) add_operation(name, operation);
    add_routes();
    return text();
  }

 private:
  void collect(const std::string& name, bool input) {
    if (name.empty()) return;
    const bool known = !shape_at_.emplace(name, 0).second;
    const bool known_input = input && !inputs_.insert(name).second;
    if (known && (!input || known_input)) return;
    const ShapeModel& shape = model_.shape(name);
    collect(shape.element, input);
    collect(shape.key, input);
    for (const MemberModel& member : shape.members) collect(member.shape, input);
  }

  void collect_shapes() {
    for (const RowText& row : rows_.rows) {
      const OperationModel& operation = model_.operations.at(row.operation);
      collect(operation.input, true);
      collect(operation.output, false);
    }
    for (const auto& [name, shape] : model_.shapes) {
      if (!shape.exception) continue;
      error_at_.emplace(name, 0);
      for (const MemberModel& member : shape.members) collect(member.shape, false);
    }
    std::size_t index = 0;
    for (auto& [name, at] : shape_at_) at = index++;
    index = 0;
    for (auto& [name, at] : error_at_) at = index++;
  }

  [[nodiscard]] std::string pointer(const std::string& shape) const {
    return shape.empty() ? "nullptr" : "&shapes[" + std::to_string(shape_at_.at(shape)) + "]";
  }

  std::string members_of(const ShapeModel& shape) {
    std::vector<std::string> members;
    for (const MemberModel& member : shape.members) {
      members.push_back("{" + quoted(member.name) + ", " + quoted(member.wire) + ", " +
                        pointer(member.shape) + ", " + location_of(member.location) +
                        (member.required ? ", true" : ", false") +
                        (member.json ? ", true}" : ", false}"));
    }
    return members_.add(std::move(members));
  }

  std::string pattern_of(const std::string& name, const ShapeModel& shape) {
    if (shape.pattern.empty() || !inputs_.contains(name)) return "nullptr";
    const auto given = rows_.patterns.find(name);
    const std::string re2 = to_re2(given == rows_.patterns.end() ? shape.pattern : given->second);
    const std::string at = std::to_string(patterns_.elements.size());
    patterns_.add({"{" + quoted(re2) + ", " + quoted(shape.pattern) + "}"});
    return "&patterns[" + at + "]";
  }

  void add_shape(const std::string& name) {
    const ShapeModel& shape = model_.shape(name);
    std::vector<std::string> values;
    for (const std::string& value : shape.values) values.push_back(quoted(value));
    shapes_.add(
        {"{" + quoted(name) + ", " + type_of(shape) + (shape.flattened ? ", true, " : ", false, ") +
         members_of(shape) + ", " + pointer(shape.element) + ", " + pointer(shape.key) + ", " +
         quoted(shape.element_wire) + ", " + values_.add(std::move(values)) + ", " +
         pattern_of(name, shape) + ", " + (shape.least ? number(*shape.least) : "no_least") + ", " +
         (shape.most ? number(*shape.most) : "no_most") + "}"});
  }

  void add_error(const std::string& name) {
    const ShapeModel& shape = model_.shape(name);
    std::string message = "message";
    for (const MemberModel& member : shape.members) {
      if (member.name == "Message" || member.name == "message") message = member.wire;
    }
    errors_.add({"{" + quoted(name) + ", " + quoted(shape.code) + ", " +
                 std::to_string(shape.status) + ", " + quoted(message) + ", " + members_of(shape) +
                 "}"});
  }

  std::string template_of(const TemplateText& one) {
    std::vector<std::string> parts;
    for (const PartText& part : one.parts) {
      const char* const kind = part.kind == PartText::Kind::text      ? "text"
                               : part.kind == PartText::Kind::member  ? "member"
                               : part.kind == PartText::Kind::account ? "account"
                                                                      : "region";
      parts.push_back(std::string("{Part::Kind::") + kind + ", " + quoted(part.text) + ", " +
                      quoted(part.lookup) + ", " + quoted(part.fallback) + ", " +
                      quoted(part.prefix) + "}");
    }
    return "{" + parts_.add(std::move(parts)) + (one.optional ? ", true}" : ", false}");
  }

  std::string add_row(const RowText& row) {
    std::vector<std::string> actions, templates, keys, passes;
    for (const ActionText& action : row.actions) {
      actions.push_back("{" + quoted(action.name) + ", " + quoted(action.if_member) + "}");
    }
    for (const TemplateText& one : row.resources) templates.push_back(template_of(one));
    for (const KeyText& key : row.keys) {
      keys.push_back("{ConditionKey::Kind::" + key.kind + ", " + quoted(key.name) + ", " +
                     quoted(key.member) + "}");
    }
    for (const PassText& pass : row.passes) {
      passes.push_back("{" + quoted(pass.member) + ", " + quoted(pass.service) + "}");
    }
    std::string auth;
    for (const std::string& word : row.auth) {
      if (!auth.empty()) auth += " | ";
      auth += word == "sigv4"      ? "sigv4"
              : word == "unsigned" ? "unsigned_call"
                                   : "client_certificate";
    }
    const std::string at = std::to_string(table_.elements.size());
    table_.add({"{" + actions_.add(std::move(actions)) + ", " +
                templates_.add(std::move(templates)) + ", " + keys_.add(std::move(keys)) + ", " +
                passes_.add(std::move(passes)) + ", " + auth +
                ", PayloadMode::" + (row.may_be_unsigned ? "may_be_unsigned}" : "hashed}")});
    return "&rows[" + at + "]";
  }

  std::string route_of(const std::string& name, const OperationModel& operation) {
    if (model_.protocol != "rest-json") return "{}";
    const auto given = rows_.routes.find(name);
    const auto route = read_route(given == rows_.routes.end() ? operation.uri : given->second);
    const std::string first = route.empty() || route[0].rank != 0 ? "" : route[0].text;
    routes_.push_back({first, route, operations_.elements.size()});
    std::vector<std::string> segments;
    for (const auto& [rank, text] : route) {
      const char* const kind = rank == 0 ? "literal" : rank == 1 ? "label" : "greedy";
      segments.push_back(std::string("{Segment::Kind::") + kind + ", " + quoted(text) + "}");
    }
    return segments_.add(std::move(segments));
  }

  void add_operation(const std::string& name, const OperationModel& operation) {
    const auto row = std::ranges::find(rows_.rows, name, &RowText::operation);
    std::string out = "{&" + variable_of(rows_.service) + ", " + quoted(name) + ", " +
                      quoted(operation.method) + ", " + route_of(name, operation);
    if (row == rows_.rows.end()) {
      operations_.add({out + "}"});
      return;
    }
    std::vector<std::string> errors, headers;
    for (const std::string& error : operation.errors) {
      errors.push_back("&errors[" + std::to_string(error_at_.at(error)) + "]");
    }
    if (!operation.input.empty()) {
      for (const MemberModel& member : model_.shape(operation.input).members) {
        if (member.location == "header") headers.push_back(quoted(member.wire));
      }
    }
    out += ", " + std::to_string(operation.status) + ", " + pointer(operation.input) + ", " +
           pointer(operation.output) + ", " + quoted(operation.result) + ", " +
           error_lists_.add(std::move(errors)) + ", ";
    out += add_row(*row) + ", " + values_.add(std::move(headers));
    if (rows_.ok.contains(name)) out += ", true";
    operations_.add({out + "}"});
  }

  struct Route {
    std::string first;
    std::vector<SegmentText> segments;
    std::size_t operation;
    auto operator<=>(const Route&) const = default;
  };

  void add_routes() {
    std::ranges::sort(routes_);
    for (const Route& route : routes_) {
      sorted_.add({"&operations[" + std::to_string(route.operation) + "]"});
    }
  }

  [[nodiscard]] std::string text() {
    const std::string variable = variable_of(rows_.service);
    std::string out = "// Written by api/generate from the model and rows of " + rows_.service +
                      ".\n#include \"api/tables.h\"\n\nnamespace gnomon::api::tables {\n\n"
                      "extern const Service " +
                      variable + ";\n\nnamespace {\n\n";
    const std::vector<const Pool*> pools = {&values_,      &patterns_,   &shapes_, &members_,
                                            &errors_,      &actions_,    &parts_,  &templates_,
                                            &keys_,        &passes_,     &table_,  &segments_,
                                            &error_lists_, &operations_, &sorted_};
    for (const Pool* pool : pools) out += pool->declared();
    for (const Pool* pool : pools) out += pool->defined();
    const std::string protocol = model_.protocol == "rest-json" ? "rest_json" : model_.protocol;
    out += "\n}  // namespace\n\nconstinit const Service " + variable + " = {\n  ";
    for (const std::string& one :
         {quoted(rows_.service), quoted(model_.signing_name), "Protocol::" + protocol,
          "Scope::" + rows_.scope, quoted(model_.version), quoted(model_.target_prefix),
          quoted(model_.json_version), quoted(model_.xml_namespace), quoted(rows_.invalid),
          quoted(rows_.malformed)}) {
      out += one + ", ";
    }
    const auto whole = [](const Pool& pool) {
      return pool.elements.empty() ? std::string("{}") : pool.name;
    };
    out += whole(operations_) + ", " + whole(sorted_) + ", " + whole(errors_) +
           (rows_.trace.empty() ? "" : ", " + quoted(rows_.trace)) + "};\n";
    return out + "\n}  // namespace gnomon::api::tables\n";
  }

  const Model& model_;
  const Rows& rows_;
  std::map<std::string, std::size_t> shape_at_, error_at_;
  std::set<std::string> inputs_;  // shapes of inputs
  std::vector<Route> routes_;
  Pool values_{"std::string_view", "values", {}}, patterns_{"Pattern", "patterns", {}},
      shapes_{"Shape", "shapes", {}}, members_{"Member", "members", {}},
      errors_{"ErrorShape", "errors", {}}, actions_{"Action", "actions", {}},
      parts_{"Part", "parts", {}}, templates_{"Template", "templates", {}},
      keys_{"ConditionKey", "condition_keys", {}}, passes_{"PassedRole", "passed_roles", {}},
      table_{"Row", "rows", {}}, segments_{"Segment", "segments", {}},
      error_lists_{"ErrorShape* const", "error_lists", {}},
      operations_{"Operation", "operations", {}}, sorted_{"Operation* const", "routes", {}};
};

}  // namespace

std::string variable_of(const std::string& service) {
  std::string out = service;
  std::ranges::replace(out, '-', '_');
  return out;
}

std::string emit(const Model& model, const Rows& rows) { return Emitter(model, rows).emit(); }

}  // namespace gnomon::api::generate
