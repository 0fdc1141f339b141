// TestAuthorization: what the policies of a principal would decide.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "identity/devices.h"
#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "policy/explain.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> actions{{
    {"CONNECT", "iot:Connect"},
    {"PUBLISH", "iot:Publish"},
    {"SUBSCRIBE", "iot:Subscribe"},
    {"RECEIVE", "iot:Receive"},
}};

// What one policy says about the resources that were asked about.
struct Says {
  std::string_view name;  // with its version
  bool allows = false, denies = false, nothing = false;
};

void note(std::vector<Says>& all, const policy::Explanation& explanation) {
  for (Says& says : all) {
    bool matches = false;
    for (const policy::ExplainedStatement& statement : explanation.statements) {
      if (statement.policy != says.name || statement.miss != policy::Miss::none) continue;
      matches = true;
      (statement.effect == policy::Effect::allow ? says.allows : says.denies) = true;
    }
    says.nothing = says.nothing || !matches;
  }
}

bj::object policies_that(const Context& context, const std::vector<Says>& all, bool Says::*what) {
  bj::array list;
  for (const Says& says : all) {
    if (!(says.*what)) continue;
    const std::string name(says.name.substr(0, says.name.rfind(':')));
    list.push_back({{"policyName", name},
                    {"policyArn", registry::arn(context.world.registry, "policy/" + name)}});
  }
  return {{"policies", std::move(list)}};
}

// One of the authInfos. Of several resources all must be allowed.
bj::object decide(const Context& context, const policy::PolicySet& policies,
                  const json::Value& info, std::string_view action) {
  std::vector<Says> all;
  for (const policy::Source& source : policies.sources()) all.push_back({source.name});
  policy::Verdict verdict = policy::Verdict::allowed;
  std::vector<std::string> missing;
  for (const std::string& resource : texts(info, "resources")) {
    const auto explanation = policy::explain(
        {.identity = &policies}, {.action = action, .resource = resource, .now = context.now});
    verdict = policy::intersect(verdict, explanation.verdict);
    note(all, explanation);
    for (const policy::ExplainedStatement& statement : explanation.statements)
      missing.insert(missing.end(), statement.missing.begin(), statement.missing.end());
  }
  std::ranges::sort(missing);
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  return {{"authInfo", info},
          {"allowed", policies_that(context, all, &Says::allows)},
          {"denied",
           {{"implicitDeny", policies_that(context, all, &Says::nothing)},
            {"explicitDeny", policies_that(context, all, &Says::denies)}}},
          {"authDecision", policy::to_string(verdict)},
          {"missingContextValues", bj::array(missing.begin(), missing.end())}};
}

// The action that is asked about; "" and `wrong` if the question is none.
std::string_view action_of(const json::Value& info, std::string& wrong) {
  const auto* const known =
      std::ranges::find(actions, text(info, "actionType"), &decltype(actions)::value_type::first);
  const std::vector<std::string> resources = texts(info, "resources");
  const auto no_arn =
      std::ranges::find_if(resources, [](const auto& one) { return !one.starts_with("arn:"); });
  if (known == actions.end()) {
    wrong = "Each of authInfos must have an actionType.";
  } else if (resources.empty()) {
    wrong = "Each of authInfos must have at least one resource.";
  } else if (no_arn != resources.end()) {
    wrong = "Invalid resource: " + *no_arn + " (expected an ARN)";
  }
  return wrong.empty() ? known->second : std::string_view();
}

Outcome test_authorization(Context& context, const json::Value& input, json::Value& output) {
  if (member(input, "cognitoIdentityPoolId") != nullptr) {
    return refuse("This server has no identity pools: cognitoIdentityPoolId cannot be given.");
  }
  const identity::Supposition supposition{
      text_copy(input, "principal"), text_copy(input, "clientId"), texts(input, "policyNamesToAdd"),
      texts(input, "policyNamesToSkip")};
  if (supposition.target.empty() && supposition.policies_to_add.empty())
    return refuse("Either principal or policyNamesToAdd must be given.");
  const bj::array& infos = member(input, "authInfos")->as_array();
  std::string wrong;
  for (const json::Value& info : infos) {
    if (action_of(info, wrong).empty()) return refuse(std::move(wrong));
  }
  auto standing =
      identity::suppose(context.world.registry, context.world.devices.documents(), supposition);
  if (!standing) return to_error(standing.error());
  const policy::PolicySet policies = std::move(*standing).compile();
  json::Value& results = begin_list(output, "authResults");
  for (const json::Value& info : infos)
    append(results, decide(context, policies, info, action_of(info, wrong)));
  return Done{};
}

constexpr Entry entries[] = {{"TestAuthorization", test_authorization}};

}  // namespace

Entries iot_authorization() { return entries; }

}  // namespace gnomon::operations
