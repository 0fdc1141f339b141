#include "iam/caller.h"

namespace gnomon::iam {

policy::Verdict authorise(const Caller& caller, policy::Request request,
                          const policy::PolicySet* resource) {
  if (caller.kind == Caller::Kind::root) return policy::Verdict::allowed;
  request.principal = caller.principal();
  policy::Groups groups = caller.groups();
  groups.resource = resource;
  return policy::evaluate(groups, request);
}

}  // namespace gnomon::iam
