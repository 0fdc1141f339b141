// Policy documents, and questions to them. Whatever the bytes are: reading ends and says why it
// refuses; what is accepted compiles, answers, and explains itself with the same answer; a Deny
// wins; what a client calls itself never opens what a plain name would not; the matcher agrees with
// the plain one.
//
// Input: one byte (bit 0: IAM; bits 1–2: kind), the document, a line with what the client calls
// itself, the action, the resource. Lines are parted by a byte 0x00.
#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "base/fuzzing.h"
#include "base/utf8.h"
#include "policy/explain.h"
#include "policy/reference.h"

namespace {

using namespace gnomon;
using fuzz::check;
using fuzz::take_part;
using namespace gnomon::policy;

std::string take_line(std::string_view& text) { return std::string(take_part(text, '\0')); }

// One pattern and one text, short enough for the plain matcher, which may take exponential time.
void check_matcher(std::string_view pattern, std::string_view text, const std::string& value) {
  if (!is_mqtt_utf8(pattern) || !is_mqtt_utf8(text) || !is_mqtt_utf8(value)) return;
  pattern = pattern.substr(0, 16);
  text = text.substr(0, 16);
  if (!is_mqtt_utf8(pattern) || !is_mqtt_utf8(text)) return;
  const auto parts = split(pattern, {.fallbacks = true});
  if (!parts) return;
  ReferenceValues values;
  for (const Part& part : *parts) values[part.text] = value;
  check(tested_matches(*parts, text, value) == reference_matches(*parts, text, values));
}

PolicySet compile(const std::shared_ptr<const Document>& document, const std::string& name) {
  Variables variables;
  variables.set("iot:ClientId", name);
  variables.set("aws:username", name);
  variables.set_certificate_field("iot:Certificate.Subject.CommonName", {name, "second"});
  return PolicySet::compile({{"p", "", document}},
                            std::make_shared<const Variables>(std::move(variables)));
}

void ask(const std::shared_ptr<const Document>& document, const std::string& name,
         const Request& request) {
  const PolicySet set = compile(document, name);
  const bool identity = document->kind == Kind::identity;
  const Groups groups{.identity = identity ? &set : nullptr,
                      .resource = identity ? nullptr : &set,
                      .trust = document->kind == Kind::trust};
  const Verdict verdict = evaluate(groups, request);
  const Explanation explanation = explain(groups, request);
  check(explanation.verdict == verdict && !to_text(explanation).empty());
  bool denies = false, allows = false;
  for (const ExplainedStatement& statement : explanation.statements) {
    check((statement.miss == Miss::none) == statement.why.empty());
    if (statement.miss != Miss::none) continue;
    (statement.effect == Effect::deny ? denies : allows) = true;
  }
  check((verdict == Verdict::explicit_deny) == denies);
  check(verdict != Verdict::allowed || allows);
  // IoT: where nothing but the name could have opened it, a name with wildcards does not.
  const bool iot = document->dialect == Dialect::iot;
  if (iot && !is_plain(name) && verdict == Verdict::allowed) {
    for (const ExplainedStatement& statement : explanation.statements) {
      if (statement.effect == Effect::deny || statement.miss != Miss::none) continue;
      for (const ExplainedVariable& variable : statement.variables) check(variable.why.empty());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Dialect dialect = (data[0] & 1U) != 0 ? Dialect::iam : Dialect::iot;
  const unsigned which = data[0] >> 1 & 3U;
  const Kind kind = dialect == Dialect::iot || which == 0 ? Kind::identity
                    : which == 1                          ? Kind::resource
                                                          : Kind::trust;
  std::string_view text = as_text({data + 1, size - 1});
  const std::string written = take_line(text), name = take_line(text), action = take_line(text),
                    resource(text.substr(0, 4096));
  check_matcher(written, resource, name);
  const auto document = parse(written, dialect, kind);
  if (!document) {
    check(!document.error().message.empty());
    return 0;
  }
  check(!document->statements.empty());
  const std::string_view values[] = {name, "x"};
  const KeyValues keys[] = {{"k", values},
                            {"aws:SourceIp", std::span(values).first(1)},
                            {"n", std::span(values).first(1)}};
  ask(std::make_shared<const Document>(*document), name,
      {.action = action,
       .resource = resource,
       .keys = keys,
       .now = {1'700'000'000'000},
       .principal = {name, "", "123456789012", "iot.amazonaws.com", ""}});
  return 0;
}
