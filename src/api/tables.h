// The tables of operations: which there are, what goes in and out of them, and what somebody must
// be allowed to call them. Constant data, written by api/generate at build time from the models
// (api/models/*.json) and the rows (api/rows/*.rows); see
// docs/decisions/0020-tables-of-operations.md.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "api/pattern.h"

namespace gnomon::api {

struct Shape;
struct Service;

// Where a member travels. `body` is a member of the document or form that the body is; a `payload`
// is the whole body.
enum class Location : std::uint8_t { body, path, query, header, prefix_headers, status, payload };

struct Member {
  std::string_view name;  // in the objects that handlers see, and in messages
  std::string_view wire;  // in a document, query or header; lower case if a header
  const Shape* shape;
  Location location = Location::body;
  bool required = false;
  bool json = false;  // of a header: JSON in base64
};

// integer: 64 bits with sign; timestamp: in objects, milliseconds since 1970 (int64).
enum class Type : std::uint8_t {
  structure,
  list,
  map,
  string,
  blob,  // in objects, a string of the very bytes
  boolean,
  integer,
  number,
  timestamp,
};

constexpr double no_least = -std::numeric_limits<double>::infinity();
constexpr double no_most = std::numeric_limits<double>::infinity();

struct Shape {
  std::string_view name;
  Type type;
  bool flattened = false;                // list or map: its elements without a name around them
  std::span<const Member> members = {};  // of a structure
  const Shape* element = nullptr;        // of a list; of a map: the values
  const Shape* key = nullptr;            // of a map
  std::string_view element_wire = "member";
  std::span<const std::string_view> values = {};  // of an enumeration; none: any
  const Pattern* pattern = nullptr;
  // Of strings in characters, of blobs in bytes, of lists and maps in elements; of numbers itself.
  double least = no_least, most = no_most;
};

// A modelled error.
struct ErrorShape {
  std::string_view name;  // "NoSuchEntityException": the class that SDKs raise
  std::string_view code;  // on the wire: "NoSuchEntity"
  int status;
  std::string_view message_wire;  // "message" or "Message"
  std::span<const Member> members;
};

// A piece of a template: "thing/" or "{thingName}".
struct Part {
  enum class Kind : std::uint8_t { text, member, account, region };
  Kind kind = Kind::text;
  std::string_view text;         // itself, or the path of the member: "registrationConfig.roleArn"
  std::string_view lookup = {};  // "user": the path and name of the user that the member names
  std::string_view fallback = {};  // instead of a member that is not there; "@caller": their name
  std::string_view prefix = {};    // goes before a member that is there
};
struct Template {
  std::span<const Part> parts;
  bool optional = false;  // without it if a member is not there
};

// A condition key that the input gives a value.
struct ConditionKey {
  enum class Kind : std::uint8_t {
    value,            // of the member
    tags,             // aws:RequestTag/… and aws:TagKeys of a list of tags
    tag_keys,         // aws:TagKeys of a list of keys
    target_boundary,  // not of the input: the boundary that the user or role has now
  };
  Kind kind = Kind::value;
  std::string_view name;
  std::string_view member;  // its path
};

struct Action {
  std::string_view name;       // "iot:CreateThing"
  std::string_view if_member;  // only if this one is there, and not false
};

// A role that the operation gives to a service: iam:PassRole is checked.
struct PassedRole {
  std::string_view member;   // the path of the role's ARN
  std::string_view service;  // "credentials.iot.amazonaws.com"
};

enum Auth : std::uint8_t { sigv4 = 1, unsigned_call = 2, client_certificate = 4 };
enum class PayloadMode : std::uint8_t { hashed, may_be_unsigned };

// What is written by hand for an operation that is built, or is to be.
struct Row {
  std::span<const Action> actions;
  std::span<const Template> resources;  // none: "*"
  std::span<const ConditionKey> keys;
  std::span<const PassedRole> passes;
  std::uint8_t auth = sigv4;  // of Auth, or-ed
  PayloadMode payload = PayloadMode::hashed;
};

struct Segment {
  enum class Kind : std::uint8_t { literal, label, greedy };
  Kind kind = Kind::literal;
  std::string_view text;  // itself, or the wire name of the member
};

struct Operation {
  const Service* service;
  std::string_view name;                // "CreateThing"
  std::string_view method;              // "POST"
  std::span<const Segment> route = {};  // rest-json
  int status = 200;                     // of success
  const Shape* input = nullptr;         // null: nothing goes in
  const Shape* output = nullptr;        // null: nothing comes out
  std::string_view result = {};         // query: the element around the output
  std::span<const ErrorShape* const> errors = {};
  const Row* row = nullptr;  // null: known by name and route only, and answered 501
  std::span<const std::string_view> bound_headers = {};  // lower case; must be signed if there
  bool says_ok = false;  // without an output: {"message":"OK"}, with the id of the request
};

enum class Protocol : std::uint8_t { rest_json, json, query };
// The region in the scope of a signature.
enum class Scope : std::uint8_t { regional, global, either };

struct Service {
  std::string_view name;          // "iot-data"
  std::string_view signing_name;  // "iotdata"
  Protocol protocol;
  Scope scope;
  std::string_view version;        // "2015-05-28"
  std::string_view target_prefix;  // json: "DynamoDB_20120810"
  std::string_view json_version;   // json: "1.0"
  std::string_view xml_namespace;  // query
  // The codes of what the input can be wrong with: its values, or its form.
  std::string_view invalid_code, malformed_code;
  std::span<const Operation> operations;  // by name
  // Those with routes, by the text of the first segment (labels: ""), then narrow ones first.
  std::span<const Operation* const> routes;
  std::span<const ErrorShape> errors;  // by name
  std::string_view trace = {};  // member of errors with the id of the request: "traceId", or none
};

// All that are compiled in.
[[nodiscard]] std::span<const Service* const> services();
// Null: there is none.
[[nodiscard]] const Service* service_named(std::string_view name);
// By the name in the scope of a signature, or the older one of iot, "execute-api": Debian's `aws`
// 2.9 signs so.
[[nodiscard]] const Service* service_signed_as(std::string_view signing_name);
constexpr std::string_view older_name_of_iot = "execute-api";
[[nodiscard]] const Operation* operation_named(const Service& service, std::string_view name);
[[nodiscard]] const ErrorShape* error_named(const Service& service, std::string_view name);

}  // namespace gnomon::api
