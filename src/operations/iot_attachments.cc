// AttachPolicy, DetachPolicy, ListAttachedPolicies, ListTargetsForPolicy; AttachPrincipalPolicy,
// DetachPrincipalPolicy, ListPrincipalPolicies, ListPolicyPrincipals, which are the older ways to
// say the same; GetEffectivePolicies.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/attachments.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

// The member that names what a policy is attached to. `principal`: of the older operations, which
// know certificates and Cognito identities only.
constexpr char target[] = "target";
constexpr char principal[] = "principal";

template <const char* member>
registry::Reply<registry::Nothing> check(const Context& context, const json::Value& input) {
  if (std::string_view(member) == target) return registry::Nothing{};
  return registry::check_principal(context.world.registry, text(input, member));
}

template <const char* member>
Outcome attach(Context& context, const json::Value& input, json::Value&) {
  if (const auto good = check<member>(context, input); !good) return to_error(good.error());
  return answer_written(registry::attach_policy(
      context.world.registry, text_copy(input, "policyName"), text_copy(input, member)));
}

template <const char* member>
Outcome detach(Context& context, const json::Value& input, json::Value&) {
  if (const auto good = check<member>(context, input); !good) return to_error(good.error());
  return answer_written(registry::detach_policy(
      context.world.registry, text_copy(input, "policyName"), text_copy(input, member)));
}

// By their names; ascendingOrder, which ListPrincipalPolicies has, means nothing for that.
template <const char* member>
Outcome list_policies(Context& context, const json::Value& input, json::Value& output) {
  if (const auto good = check<member>(context, input); !good) return to_error(good.error());
  return answer_page(
      registry::list_attached_policies(context.world.registry, text(input, member),
                                       flag(input, "recursive").value_or(false),
                                       page_of(input, by_marker)),
      output, "policies", by_marker, [](const registry::PolicyEntry& policy) -> bj::value {
        return {{"policyName", policy.policy_name}, {"policyArn", policy.policy_arn}};
      });
}

Outcome list_targets_for_policy(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      registry::list_targets_for_policy(context.world.registry, text(input, "policyName"), false,
                                        page_of(input, by_marker)),
      output, "targets", by_marker);
}

Outcome list_policy_principals(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      registry::list_targets_for_policy(context.world.registry, text(input, "policyName"), true,
                                        page_of(input, by_marker)),
      output, "principals", by_marker);
}

Outcome get_effective_policies(Context& context, const json::Value& input, json::Value& output) {
  if (member(input, "cognitoIdentityPoolId") != nullptr) {
    return refuse("This server has no identity pools: cognitoIdentityPoolId cannot be given.");
  }
  return answer_read(
      registry::get_effective_policies(context.world.registry, text(input, "principal"),
                                       text_copy(input, "thingName")),
      [&](const std::vector<registry::EffectivePolicy>& policies) {
        json::Value& list = begin_list(output, "effectivePolicies");
        for (const registry::EffectivePolicy& policy : policies) {
          append(list, bj::object{{"policyName", policy.policy_name},
                                  {"policyArn", policy.policy_arn},
                                  {"policyDocument", policy.policy_document}});
        }
      });
}

constexpr Entry entries[] = {
    {"AttachPolicy", attach<target>},
    {"DetachPolicy", detach<target>},
    {"ListAttachedPolicies", list_policies<target>},
    {"ListTargetsForPolicy", list_targets_for_policy},
    {"AttachPrincipalPolicy", attach<principal>},
    {"DetachPrincipalPolicy", detach<principal>},
    {"ListPrincipalPolicies", list_policies<principal>},
    {"ListPolicyPrincipals", list_policy_principals},
    {"GetEffectivePolicies", get_effective_policies},
};

}  // namespace

Entries iot_attachments() { return entries; }

}  // namespace gnomon::operations
