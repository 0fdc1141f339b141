#include "iam/caller.h"

#include <algorithm>

namespace gnomon::iam {

namespace {

// Whether `text` is, in whatever case, what `wanted` is in lower case.
bool equals(std::string_view text, std::string_view wanted) {
  return std::ranges::equal(text, wanted, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

}  // namespace

bool is_barred(const Caller& caller, std::string_view action) {
  constexpr std::string_view iam = "iam:", pass_role = "iam:passrole";
  return caller.temporary && caller.role_arn.empty() && equals(action.substr(0, iam.size()), iam) &&
         !equals(action, pass_role);
}

policy::Verdict authorise(const Caller& caller, policy::Request request,
                          const policy::PolicySet* resource) {
  if (caller.kind == Caller::Kind::nobody) return policy::Verdict::implicit_deny;
  if (is_barred(caller, request.action)) return policy::Verdict::explicit_deny;
  if (caller.kind == Caller::Kind::root) return policy::Verdict::allowed;
  request.principal = caller.principal();
  policy::Groups groups = caller.groups();
  groups.resource = resource;
  return policy::evaluate(groups, request);
}

}  // namespace gnomon::iam
