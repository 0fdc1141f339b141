// Runs testdata/*.test but documents.test: policies, what is known, what is asked.
//
//   case NAME                begins a case: all that was set before is forgotten
//   dialect iot|iam          iot until said otherwise
//   version 2008-10-17       of the documents that follow
//   var KEY = VALUE          known of the principal when its policies are compiled; `|` between
//   cert KEY = VALUE | …     several; cert: a certificate's field
//   identity|resource|trust|boundary|session STATEMENT
//                            a document with this statement (JSON) for that group
//   detach POLICY            takes a document away: GROUP and its number, "identity2"
//   key KEY = VALUE | …      comes with the questions that follow; without a value: not any more
//   now DATE                 their time
//   caller arn=… role=… account=… service=… federated=…
//   allow|deny|none ACTION RESOURCE
//                            a question and its answer: allowed, explicit or implicit deny
//   why TEXT                 the reason of the last answer, or a line of its explanation, has TEXT
//   reads KEY, ignores KEY   whether the identity's set names the key
#include "policy/cases.h"

#include <filesystem>

#include <doctest/doctest.h>

#include "policy/explain.h"

namespace gnomon::policy {
namespace {

class Runner {
 public:
  void row(const Row& row) {
    CAPTURE(row.line);
    CAPTURE(name_);
    if (row.word == "case") {
      *this = Runner();
      name_ = row.rest;
    } else if (row.word == "dialect") {
      REQUIRE((row.rest == "iot" || row.rest == "iam"));
      dialect_ = row.rest == "iot" ? Dialect::iot : Dialect::iam;
    } else if (row.word == "version") {
      version_ = row.rest;
    } else if (row.word == "var") {
      const auto [key, values] = read_setting(row.rest);
      variables_.set(key, values);
    } else if (row.word == "cert") {
      const auto [key, values] = read_setting(row.rest);
      variables_.set_certificate_field(key, values);
    } else if (row.word == "detach") {
      std::size_t detached = 0;
      for (auto& [group, sources] : sources_) {
        detached += std::erase_if(sources, [&](const Source& s) { return s.name == row.rest; });
      }
      REQUIRE(detached == 1);
    } else if (row.word == "key") {
      auto [key, values] = read_setting(row.rest);
      if (values.empty()) keys_.erase(key);
      if (!values.empty()) keys_[key] = std::move(values);
    } else if (row.word == "now") {
      const auto now = read_date(row.rest);
      REQUIRE(now);
      now_ = {*now};
    } else if (row.word == "caller") {
      caller_ = row.rest;
    } else if (row.word == "why") {
      const bool found = to_text(last_).find(row.rest) != std::string::npos;
      CHECK_MESSAGE(found, row.rest << " is not in:\n" << to_text(last_));
    } else if (row.word == "reads" || row.word == "ignores") {
      CHECK(compile("identity").reads(row.rest) == (row.word == "reads"));
    } else if (row.word == "allow" || row.word == "deny" || row.word == "none") {
      question(row);
    } else {
      statement(row);
    }
  }

 private:
  void statement(const Row& row) {
    const auto& word = row.word;
    const bool known = word == "identity" || word == "resource" || word == "trust" ||
                       word == "boundary" || word == "session";
    REQUIRE_MESSAGE(known, "unknown word " << word);
    const Kind kind = word == "resource" ? Kind::resource
                      : word == "trust"  ? Kind::trust
                                         : Kind::identity;
    const auto document = parse(
        "{\"Version\":\"" + version_ + "\",\"Statement\":[" + row.rest + "]}", dialect_, kind);
    REQUIRE_MESSAGE(document.ok(), document.error().message);
    trust_ = trust_ || kind == Kind::trust;
    auto& sources = sources_[kind == Kind::trust ? "resource" : word];
    sources.push_back({word + std::to_string(sources.size() + 1), "",
                       std::make_shared<const Document>(*document)});
  }

  PolicySet compile(const std::string& group) {
    return PolicySet::compile(sources_[group], std::make_shared<const Variables>(variables_));
  }

  std::string_view caller(std::string_view part) {
    const std::size_t at = caller_.find(std::string(part) + '=');
    if (at == std::string::npos) return {};
    const std::string_view rest = std::string_view(caller_).substr(at + part.size() + 1);
    return rest.substr(0, std::min(rest.find(' '), rest.size()));
  }

  void question(const Row& row) {
    const std::size_t blank = std::min(row.rest.find(' '), row.rest.size());
    const std::string action = row.rest.substr(0, blank);
    const std::string resource = row.rest.substr(std::min(blank + 1, row.rest.size()));
    std::deque<std::vector<std::string_view>> values;
    std::vector<KeyValues> keys;
    for (const auto& [key, texts] : keys_) {
      keys.push_back({key, values.emplace_back(texts.begin(), texts.end())});
    }
    const Request request{.action = action,
                          .resource = resource,
                          .keys = keys,
                          .now = now_,
                          .principal = {caller("arn"), caller("role"), caller("account"),
                                        caller("service"), caller("federated")}};
    const PolicySet identity = compile("identity"), resources = compile("resource"),
                    boundary = compile("boundary"), session = compile("session");
    const auto given = [&](const std::string& group, const PolicySet& set) {
      return sources_[group].empty() ? nullptr : &set;
    };
    const Groups groups{.identity = given("identity", identity),
                        .resource = given("resource", resources),
                        .boundary = given("boundary", boundary),
                        .session = given("session", session),
                        .trust = trust_};
    const Verdict expected = row.word == "allow"  ? Verdict::allowed
                             : row.word == "deny" ? Verdict::explicit_deny
                                                  : Verdict::implicit_deny;
    last_ = explain(groups, request);
    CAPTURE(to_text(last_));
    CHECK(to_string(evaluate(groups, request)) == to_string(expected));
    CHECK(last_.verdict == expected);
    CHECK_FALSE(last_.why.empty());
    for (const ExplainedStatement& each : last_.statements) {
      CHECK((each.miss == Miss::none) == each.why.empty());
    }
  }

  std::string name_, version_ = "2012-10-17", caller_;
  Dialect dialect_ = Dialect::iot;
  Variables variables_;
  std::map<std::string, std::vector<Source>> sources_;
  std::map<std::string, std::vector<std::string>> keys_;
  WallTime now_;
  bool trust_ = false;
  Explanation last_;
};

void run(const std::string& file) {
  const auto rows = read_rows("testdata/" + file);
  REQUIRE_MESSAGE(!rows.empty(), "run in src/policy: there is no testdata/" << file);
  Runner runner;
  for (const Row& row : rows) runner.row(row);
}

TEST_CASE("iot.test") { run("iot.test"); }
TEST_CASE("variables.test") { run("variables.test"); }
TEST_CASE("conditions.test") { run("conditions.test"); }
TEST_CASE("iam.test") { run("iam.test"); }

Kind kind_named(std::string_view name) {
  if (name == "resource") return Kind::resource;
  return name == "trust" ? Kind::trust : Kind::identity;
}

// documents.test:  case NAME; parse iot|iam identity|resource|trust TEXT; good, or error MESSAGE
TEST_CASE("documents.test") {
  const auto rows = read_rows("testdata/documents.test");
  REQUIRE_FALSE(rows.empty());
  std::string result, name;
  for (const Row& row : rows) {
    CAPTURE(row.line);
    CAPTURE(name);
    if (row.word == "case") {
      name = row.rest;
    } else if (row.word == "parse") {
      const std::size_t kind = row.rest.find(' ') + 1, text = row.rest.find(' ', kind) + 1;
      const Dialect dialect = row.rest.starts_with("iot") ? Dialect::iot : Dialect::iam;
      const auto document =
          parse(row.rest.substr(text), dialect, kind_named(row.rest.substr(kind, text - kind - 1)));
      result = document ? "" : document.error().message;
    } else if (row.word == "good") {
      CHECK(result == "");
    } else {
      REQUIRE(row.word == "error");
      CHECK(result == row.rest);
    }
  }
}

}  // namespace
}  // namespace gnomon::policy
