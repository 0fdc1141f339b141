// ExplainPolicy: why somebody may do something, or may not; or why a connection was refused.
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "iam/explain.h"
#include "identity/devices.h"
#include "operations/fields.h"
#include "operations/handlers.h"
#include "policy/explain.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

api::ApiError fail(const Context& context, std::string_view name, std::string message) {
  return api::modelled_error(*context.operation.service, name, std::move(message));
}
api::ApiError refuse_question(const Context& context, std::string message) {
  return fail(context, "InvalidRequestException", std::move(message));
}

// ---- what is asked

// A question about somebody.
struct Question {
  std::string principal, action, resource, client_id;
  std::vector<std::pair<std::string, std::vector<std::string>>> context;
};

// How the resource of an action of IoT begins where only a client id, a topic or a filter is given.
std::string_view kind_of_resource(std::string_view action) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kinds{{
      {"iot:Connect", "client/"},
      {"iot:Publish", "topic/"},
      {"iot:Receive", "topic/"},
      {"iot:RetainPublish", "topic/"},
      {"iot:Subscribe", "topicfilter/"},
  }};
  const auto* const kind = std::ranges::find(kinds, action, &decltype(kinds)::value_type::first);
  return kind == kinds.end() ? std::string_view() : kind->second;
}

Result<Question, api::ApiError> question_of(const Context& context, const json::Value& input) {
  Question question{text_copy(input, "principal"),
                    text_copy(input, "action"),
                    text_copy(input, "resource"),
                    text_copy(input, "clientId"),
                    {}};
  if (question.principal.empty() || question.action.empty())
    return refuse_question(context, "Either decisionId, or principal and action must be given.");
  const std::string_view kind = kind_of_resource(question.action);
  const bool connects = kind == "client/";
  if (connects && question.resource.empty()) question.resource = question.client_id;
  if (question.resource.empty()) question.resource = "*";
  if (question.resource != "*" && !question.resource.starts_with("arn:")) {
    if (kind.empty()) {
      return refuse_question(context, "The resource of " + question.action +
                                          " must be an ARN or '*', not '" + question.resource +
                                          "'.");
    }
    if (connects && question.client_id.empty()) question.client_id = question.resource;
    question.resource =
        registry::arn(context.world.registry, std::string(kind) + question.resource);
  }
  if (const json::Value* entries = member(input, "context")) {
    for (const json::Value& entry : entries->as_array())
      question.context.emplace_back(text_copy(entry, "key"), texts(entry, "values"));
  }
  return question;
}

// ---- who it is about

using Explained = Result<policy::Explanation, api::ApiError>;

Explained explain_identity(const Context& context, const Question& question) {
  std::vector<std::vector<std::string_view>> values;
  for (const auto& [key, texts] : question.context) values.emplace_back(texts.begin(), texts.end());
  std::vector<policy::KeyValues> keys;
  for (std::size_t i = 0; i < values.size(); ++i)
    keys.push_back({question.context[i].first, values[i]});
  auto explanation = iam::explain(
      context.world.iam, question.principal,
      {.action = question.action, .resource = question.resource, .keys = keys, .now = context.now});
  if (explanation) return *std::move(explanation);
  const bool unknown = explanation.error().kind == iam::Kind::no_such_entity;
  return fail(context, unknown ? "ResourceNotFoundException" : "ServiceUnavailableException",
              explanation.error().message);
}

// What policies of IoT are attached to.
std::string target_of(const Context& context, const std::string& principal) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (principal.size() == 64 && std::ranges::all_of(principal, is_hex))
    return registry::arn(context.world.registry, "cert/" + principal);
  if (principal == "local" || principal.starts_with("user/")) return "gnomon:" + principal;
  return principal;
}

Explained explain_device(const Context& context, const Question& question) {
  identity::Supposition supposition{
      target_of(context, question.principal), question.client_id, {}, {}};
  for (const auto& [key, values] : question.context) supposition.known.set(key, values);
  auto standing =
      identity::suppose(context.world.registry, context.world.devices.documents(), supposition);
  if (!standing) {
    using registry::Kind;
    const Kind kind = standing.error().kind;
    return fail(context,
                kind == Kind::resource_not_found    ? "ResourceNotFoundException"
                : kind == Kind::service_unavailable ? "ServiceUnavailableException"
                                                    : "InvalidRequestException",
                standing.error().message);
  }
  const policy::PolicySet policies = std::move(*standing).compile();
  return policy::explain(
      {.identity = &policies},
      {.action = question.action, .resource = question.resource, .now = context.now});
}

// ---- the answer

bj::array strings(const std::vector<std::string>& texts) {
  bj::array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return list;
}

bj::object statement_value(const policy::ExplainedStatement& statement) {
  bj::array variables;
  for (const policy::ExplainedVariable& variable : statement.variables) {
    variables.push_back({{"name", variable.name},
                         {"values", strings(variable.values)},
                         {"why", or_null(variable.why)}});
  }
  return {{"group", statement.group},
          {"policy", statement.policy},
          {"via", or_null(statement.via)},
          {"number", statement.number},
          {"sid", or_null(statement.sid)},
          {"effect", statement.effect == policy::Effect::allow ? "Allow" : "Deny"},
          {"matches", statement.miss == policy::Miss::none},
          {"why", or_null(statement.why)},
          {"variables", std::move(variables)},
          {"missingKeys", strings(statement.missing)}};
}

void tell(const policy::Explanation& explanation, json::Value& output) {
  set(output, "action", text_value(explanation.action));
  set(output, "resource", text_value(explanation.resource));
  set(output, "verdict", text_value(policy::to_string(explanation.verdict)));
  set(output, "why", text_value(explanation.why));
  set(output, "text", text_value(policy::to_text(explanation)));
  json::Value& list = begin_list(output, "statements");
  for (const policy::ExplainedStatement& statement : explanation.statements)
    append(list, statement_value(statement));
}

Outcome tell_decision(const Context& context, const std::string& id, json::Value& output) {
  const auto decision = context.world.devices.decisions().find(id);
  if (!decision) {
    return fail(context, "ResourceNotFoundException",
                "There is no decision " + id +
                    ": the last refusals are remembered, until the server ends.");
  }
  set(output, "decisionId", text_value(decision->id));
  set(output, "time", decision->at.ms);
  set(output, "principal", text_value(decision->principal));
  set(output, "clientId", text_value(decision->client_id));
  if (decision->left_out > 0) set(output, "statementsLeftOut", decision->left_out);
  tell(decision->explanation, output);
  return Done{};
}

Outcome explain_policy(Context& context, const json::Value& input, json::Value& output) {
  if (const auto id = maybe_text(input, "decisionId")) {
    for (const char* other : {"principal", "action", "resource", "clientId", "context"}) {
      if (member(input, other) != nullptr)
        return refuse_question(context, std::string("decisionId goes without ") + other + '.');
    }
    return tell_decision(context, *id, output);
  }
  const auto question = question_of(context, input);
  if (!question) return question.error();
  const bool identity = question->principal.starts_with("arn:aws:iam:") ||
                        question->principal.starts_with("arn:aws:sts:");
  auto explanation =
      identity ? explain_identity(context, *question) : explain_device(context, *question);
  if (!explanation) return std::move(explanation.error());
  set(output, "principal", text_value(question->principal));
  set(output, "clientId", or_null(question->client_id));
  tell(*explanation, output);
  return Done{};
}

constexpr Entry entries[] = {{"ExplainPolicy", explain_policy}};

}  // namespace

Entries gnomon_policy() { return entries; }

}  // namespace gnomon::operations
