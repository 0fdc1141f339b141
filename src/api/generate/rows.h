// What is written by hand for the operations of a service: api/rows/<service>.rows.
//
// The head: a word and its value, a line each.
//   service   iot                   name of the model, models/iot.json
//   scope     regional              of a signature: regional, global (us-east-1), either
//   arn       arn:aws:iot:…:        goes before a resource that does not begin with '{' or "arn:"
//   invalid   ValidationError       code of an error in the values of the input
//   malformed MalformedInput        code of an error in its form
//   route     Publish /topics/{t+}  in place of the model's
//   trace     traceId               member of its errors with the id of the request, or none
//   ok        Publish               answers {"message":"OK"}, and its trace; its model has no
//   output pattern   ShapeName expression  in place of the model's, if RE2 cannot do that
//
// Then a row an operation that is built, or is to be; each has all seven cells, parted by '|':
//   operation   its name in the model
//   action      "iot:Publish"; more than one: all are checked. "iot:RetainPublish?retain": only if
//               that member is there and not false. "none": nobody is refused
//   resources   "*", or templates of ARNs, all of which are checked:
//                 {thingName}      a member; one of a list stands for a template an element
//                 {a.b}            a member of a member
//                 {Path=/}         "/" if it is not there; "@caller": the name of who calls
//                 {/shadowName}    with "/" before it, or nothing if it is not there
//                 {user:UserName}  path and name of the user that it names: "/division/Ann"
//                 {@account} {@region}
//               A '?' at the end: only if all members are there, for those that need not be
//   keys        condition keys: "iam:PolicyARN={PolicyArn}", "tags={Tags}" (aws:RequestTag/…,
//               aws:TagKeys), "tagkeys={TagKeys}", "iam:PermissionsBoundary=@target" (what the
//               resource has now), or "-"
//   auth        how it may be called: "sigv4", "unsigned", "certificate", or several with ','
//   payload     "hashed": the body's hash is signed; "unsigned": it need not be
//   passes      roles that are given to services (iam:PassRole): "{roleArn}@iot.amazonaws.com";
//               "none": a role in the input is given to nobody; "-": there is none in it
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::api::generate {

// Wrong rows, or a model that this cannot read; the message says where.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct PartText {
  enum class Kind { text, member, account, region };
  Kind kind = Kind::text;
  std::string text = {}, lookup = {}, fallback = {}, prefix = {};  // as Part of api/tables.h
};
struct TemplateText {
  std::vector<PartText> parts;
  bool optional = false;
};
struct KeyText {
  std::string kind, name, member;  // kind: ConditionKey::Kind
};
struct ActionText {
  std::string name, if_member;
};
struct PassText {
  std::string member, service;
};

struct RowText {
  int line = 0;
  std::string operation;
  std::vector<ActionText> actions;  // none: nobody is refused
  std::vector<TemplateText> resources;
  std::vector<KeyText> keys;
  std::vector<std::string> auth;
  bool may_be_unsigned = false;
  std::vector<PassText> passes;
  bool passes_none = false;  // said so
};

struct Rows {
  std::string file;
  std::string service, scope, arn, invalid, malformed, trace;
  std::set<std::string, std::less<>> ok;                // operations
  std::map<std::string, std::string> routes, patterns;  // by operation, by shape
  std::vector<RowText> rows;
};

// Throws Failure.
[[nodiscard]] Rows read_rows(const std::string& file, std::string_view text);

}  // namespace gnomon::api::generate
