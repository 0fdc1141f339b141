#include "policy/evaluate.h"

#include <algorithm>

namespace gnomon::policy {

Verdict evaluate(const Groups& groups, const Request& request) {
  const auto ask = [&](const PolicySet* set, Verdict without) {
    return set == nullptr ? without : set->check(request);
  };
  const Verdict identity = ask(groups.identity, Verdict::implicit_deny);
  const Verdict boundary = ask(groups.boundary, Verdict::allowed);
  const Verdict session = ask(groups.session, Verdict::allowed);
  const Grant grant = groups.resource == nullptr ? Grant::none : groups.resource->grant(request);

  const bool denied = grant == Grant::denied || identity == Verdict::explicit_deny ||
                      boundary == Verdict::explicit_deny || session == Verdict::explicit_deny;
  if (denied) return Verdict::explicit_deny;
  if (grant == Grant::direct) return Verdict::allowed;
  const bool asked = !groups.trust || grant != Grant::none;  // the identity's policies count
  const bool granted = grant == Grant::role || (asked && identity == Verdict::allowed);
  const bool within = boundary == Verdict::allowed && session == Verdict::allowed;
  return granted && within ? Verdict::allowed : Verdict::implicit_deny;
}

// The enumerators stand in this order.
Verdict intersect(Verdict a, Verdict b) { return std::max(a, b); }

}  // namespace gnomon::policy
