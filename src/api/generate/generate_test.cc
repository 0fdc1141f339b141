#include <doctest/doctest.h>

#include "api/generate/check.h"
#include "api/generate/emit.h"
#include "api/generate/expression.h"

namespace gnomon::api::generate {
namespace {

const std::string head =
    "service s\nscope regional\narn arn:aws:s:{@region}:{@account}:\ninvalid I\nmalformed M\n";
const std::string model = R"({
  "metadata": {"apiVersion": "1", "endpointPrefix": "s", "protocol": "rest-json"},
  "operations": {
    "Make": {"http": {"method": "POST", "requestUri": "/things/{name}"}, "input": {"shape": "In"}},
    "Role": {"http": {"method": "POST", "requestUri": "/roles"}, "input": {"shape": "Takes"}}
  },
  "shapes": {
    "In": {"type": "structure", "required": ["name"], "members": {
      "name": {"shape": "Text", "location": "uri", "locationName": "name"},
      "other": {"shape": "Text"}}},
    "Takes": {"type": "structure", "members": {"in": {"shape": "Inner"}}},
    "Inner": {"type": "structure", "members": {"roleArn": {"shape": "Text"}}},
    "Text": {"type": "string", "pattern": "[a-z]+"}
  }})";

// The message of the failure, or "" if what is written makes tables.
std::string failure(const std::string& rows) {
  try {
    const Model read = read_model("m", model);
    const Rows written = read_rows("r", rows);
    check(read, written);
    static_cast<void>(emit(read, written));
  } catch (const Failure& failed) {
    return failed.what();
  }
  return "";
}

std::string row_failure(const std::string& row) { return failure(head + row + "\n"); }

void check_fails(const std::string& row, std::string_view why) {
  const std::string said = row_failure(row);
  CAPTURE(row);
  CAPTURE(said);
  CHECK(said.starts_with("r:6: error: "));
  CHECK(said.find(why) != std::string::npos);
}

TEST_CASE("a row that says all makes a table") {
  CHECK(row_failure("Make | s:Make | thing/{name} | - | sigv4 | hashed | -").empty());
  CHECK(row_failure("Make | s:Make s:More?other | thing/{name}{/other} x/{other}? y/{other=z} | "
                    "s:Key={other} tags={other} | sigv4,certificate | unsigned | -")
            .empty());
  CHECK(row_failure("Role | none | * | - | unsigned | hashed | {in.roleArn}@x.amazonaws.com")
            .empty());
  CHECK(row_failure("Role | s:Role | * | - | sigv4 | hashed | none").empty());
}

TEST_CASE("a row that does not say all makes none") {
  check_fails("Make | s:Make | thing/{name} | - | sigv4 | hashed", "seven cells");
  check_fails("Make | s:Make | thing/{name} | - | sigv4 |  | -", "an empty cell");
  check_fails("Made | s:Make | thing/{name} | - | sigv4 | hashed | -", "no operation Made");
  check_fails("Make | Make | thing/{name} | - | sigv4 | hashed | -", "an action is service:Name");
  check_fails("Make | s:Make?x | thing/{name} | - | sigv4 | hashed | -", "no member 'x'");
  check_fails("Make | s:Make | thing/{nme} | - | sigv4 | hashed | -", "no member 'nme'");
  check_fails("Make | s:Make | thing/{other} | - | sigv4 | hashed | -", "need not be there");
  check_fails("Make | s:Make | thing/{name | - | sigv4 | hashed | -", "'{' without '}'");
  check_fails("Make | s:Make | thing/{a b} | - | sigv4 | hashed | -", "'{' without '}'");
  check_fails("Make | s:Make | thing/{name} | key | sigv4 | hashed | -", "a condition key is");
  check_fails("Make | s:Make | thing/{name} | s:K={x} | sigv4 | hashed | -", "no member 'x'");
  check_fails("Make | s:Make | thing/{name} | - | anyhow | hashed | -", "auth is of");
  check_fails("Make | s:Make | thing/{name} | - | sigv4 | maybe | -", "hashed or unsigned");
  check_fails("Make | s:Make | thing/{name} | - | sigv4 | hashed | none", "no role in its input");
  check_fails("Role | s:Role | * | - | sigv4 | hashed | -", "say whom it is passed to");
  check_fails("Role | s:Role | * | - | sigv4 | hashed | {in.roleArn}", "as {member}@service");
  const std::string good = "Make | s:Make | thing/{name} | - | sigv4 | hashed | -\n";
  CHECK(failure(head + good + good).find("r:7: error: Make has two rows") == 0);
}

TEST_CASE("a head that does not say all makes none") {
  CHECK(failure("service s\n").find("the head wants") != std::string::npos);
  CHECK(failure(head + "colour red\n").find("no word of the head") != std::string::npos);
  CHECK(failure(head + "route Made /made\n").find("a route of 'Made'") != std::string::npos);
  const std::string good = "Make | s:Make | thing/{name} | - | sigv4 | hashed | -\n";
  CHECK(failure(head + "trace traceId\nok Make\n" + good).empty());
  CHECK(failure(head + "ok Made\n" + good).find("'Made' is no operation") != std::string::npos);
  CHECK(failure(head + "ok Role\n" + good).find("Role says ok") != std::string::npos);
  CHECK(failure("scope local\n").find("a scope is") != std::string::npos);
}

TEST_CASE("only what rows reach is in the tables, and every operation by its name") {
  const Model read = read_model("m", model);
  const std::string made =
      emit(read, read_rows("r", head + "Make | s:Make | thing/{name} | - | sigv4 | hashed | -\n"));
  CHECK(made.find("\"Make\"") != std::string::npos);
  CHECK(made.find("\"Role\"") != std::string::npos);
  CHECK(made.find("\"Text\"") != std::string::npos);
  CHECK(made.find("\"Inner\"") == std::string::npos);
}

TEST_CASE("Java's patterns for RE2") {
  CHECK(to_re2("[a-z]+") == "[a-z]+");
  CHECK(to_re2("[\\u0020-\\u00FF]+") == "[\\x{0020}-\\x{00FF}]+");
  CHECK(to_re2("[\\p{Graph}\\x20]*") == "[\\x21-\\x7E\\x20]*");
  CHECK(to_re2("\\p{Print}+") == "[\\x20-\\x7E]+");
  CHECK(to_re2("[\\p{L}\\p{Z}]*") == "[\\p{L}\\p{Z}]*");
  CHECK(to_re2("[\\[\\]]x\\\\u") == "[\\[\\]]x\\\\u");
  CHECK_THROWS_AS(static_cast<void>(to_re2("(?!a)b")), Failure);
  CHECK_THROWS_AS(static_cast<void>(to_re2("a{1,2000}")), Failure);
}

}  // namespace
}  // namespace gnomon::api::generate
