#include "api/generate/check.h"

#include <algorithm>
#include <array>
#include <set>

namespace gnomon::api::generate {
namespace {

constexpr std::array<std::string_view, 3> protocols = {"rest-json", "json", "query"};
constexpr std::array<std::string_view, 7> locations = {
    "body", "payload", "uri", "querystring", "header", "headers", "statusCode"};

class Checker {
 public:
  Checker(const Model& model, const Rows& rows) : model_(model), rows_(rows) {}

  void run() {
    if (std::ranges::find(protocols, model_.protocol) == protocols.end()) {
      fail("the protocol " + model_.protocol + " is not built");
    }
    for (const auto& [name, route] : rows_.routes) {
      if (!model_.operations.contains(name)) fail("a route of '" + name + "', which there is not");
    }
    for (const std::string& name : rows_.ok) {
      const auto found = model_.operations.find(name);
      if (found == model_.operations.end() || !found->second.output.empty())
        fail("'" + name + "' is no operation without an output, which would say ok");
      if (std::ranges::find(rows_.rows, name, &RowText::operation) == rows_.rows.end())
        fail(name + " says ok and has no row");
    }
    for (const auto& [name, expression] : rows_.patterns) static_cast<void>(model_.shape(name));
    for (const RowText& row : rows_.rows) {
      line_ = row.line;
      check_row(row);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw Failure(rows_.file + ":" + std::to_string(line_) + ": error: " + why);
  }

  const MemberModel& find(const std::string& input, const std::string& path) const {
    const MemberModel* const member = model_.member(input, path);
    if (member == nullptr) fail("the input has no member '" + path + "'");
    return *member;
  }

  void check_row(const RowText& row) {
    const auto found = model_.operations.find(row.operation);
    if (found == model_.operations.end()) fail("there is no operation " + row.operation);
    const OperationModel& operation = found->second;
    for (const ActionText& action : row.actions) {
      if (!action.if_member.empty()) find(operation.input, action.if_member);
    }
    for (const TemplateText& one : row.resources) check_template(one, operation.input);
    for (const KeyText& key : row.keys)
      if (key.kind != "target_boundary") find(operation.input, key.member);
    for (const PassText& pass : row.passes) find(operation.input, pass.member);
    for (const std::string* shape : {&operation.input, &operation.output}) {
      if (!shape->empty()) check_locations(*shape);
    }
    const bool takes = !operation.input.empty() && takes_role(operation.input, {});
    if (takes && row.passes.empty() && !row.passes_none) {
      fail(row.operation + " takes the ARN of a role: say whom it is passed to, or 'none'");
    }
    if (!takes && (row.passes_none || !row.passes.empty())) fail("there is no role in its input");
  }

  void check_template(const TemplateText& one, const std::string& input) const {
    for (const PartText& part : one.parts) {
      if (part.kind != PartText::Kind::member) continue;
      const MemberModel& member = find(input, part.text);
      if (!one.optional && !member.required && part.fallback.empty() && part.prefix.empty()) {
        fail("'" + part.text + "' need not be there: put '?' behind the template, or a fallback");
      }
    }
  }

  void check_locations(const std::string& shape) const {
    for (const MemberModel& member : model_.shape(shape).members) {
      if (std::ranges::find(locations, member.location) == locations.end()) {
        fail(shape + "." + member.name + ": the location " + member.location + " is not built");
      }
    }
  }

  [[nodiscard]] bool takes_role(const std::string& name, std::set<std::string> seen) const {
    if (!seen.insert(name).second) return false;
    const ShapeModel& shape = model_.shape(name);
    if (!shape.element.empty() && takes_role(shape.element, seen)) return true;
    return std::ranges::any_of(shape.members, [&](const MemberModel& member) {
      return member.name.ends_with("oleArn") || takes_role(member.shape, seen);
    });
  }

  const Model& model_;
  const Rows& rows_;
  int line_ = 1;
};

}  // namespace

void check(const Model& model, const Rows& rows) { Checker(model, rows).run(); }

}  // namespace gnomon::api::generate
