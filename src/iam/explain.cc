#include "iam/explain.h"

#include <memory>
#include <string>
#include <utility>

#include "iam/callers.h"
#include "iam/stored.h"
#include "iam/trust.h"

namespace gnomon::iam {

namespace {

using CallerPtr = std::shared_ptr<const Caller>;

Failure nobody(std::string_view principal) {
  return {Kind::no_such_entity, "There is no principal " + std::string(principal) +
                                    " (expected the ARN of a user, a role, a role's session or "
                                    "the root of this account)."};
}

Reply<CallerPtr> user_named(const Iam& iam, records::Transaction& records,
                            std::string_view principal) {
  const std::string name(principal.substr(principal.rfind('/') + 1));
  const auto user = load_entity(records, {EntityKind::user, name});
  if (!user || arn(iam, EntityKind::user, *user) != principal) return nobody(principal);
  return CallerPtr(caller_of_user(iam, records, *user, ""));
}

CallerPtr session_of(const Iam& iam, records::Transaction& records, const Entity& role,
                     std::string_view name) {
  Session session;
  session.of = role.id;
  session.role = role.name;
  session.name = name;
  session.issued = iam.clock.now();
  return caller_of_role(iam, records, role, session);
}

Reply<CallerPtr> caller_named(const Iam& iam, records::Transaction& records,
                              std::string_view principal) {
  if (principal.starts_with(arn(iam, "user/"))) return user_named(iam, records, principal);
  if (principal.starts_with(arn(iam, "role/"))) {
    const auto role = load_role(iam, records, principal, nobody(principal));
    if (!role) return role.error();
    return session_of(iam, records, *role, "explained");
  }
  const std::string sessions = "arn:aws:sts::" + iam.account + ":assumed-role/";
  const auto slash = principal.find('/', sessions.size());
  if (!principal.starts_with(sessions) || slash == std::string_view::npos) return nobody(principal);
  const std::string name(principal.substr(sessions.size(), slash - sessions.size()));
  const auto role = load_entity(records, {EntityKind::role, name});
  if (!role) return nobody(principal);
  return session_of(iam, records, *role, principal.substr(slash + 1));
}

policy::Explanation of_root(const policy::Request& request, bool takes_role) {
  policy::Explanation explanation;
  explanation.action = request.action;
  explanation.resource = request.resource;
  explanation.verdict = takes_role ? policy::Verdict::explicit_deny : policy::Verdict::allowed;
  explanation.why = takes_role ? "roles may not be assumed by the root of an account"
                               : "the root of the account may do everything";
  return explanation;
}

}  // namespace

Reply<policy::Explanation> explain(const Iam& iam, std::string_view principal,
                                   policy::Request request) {
  const bool takes_role = lower_case(request.action) == "sts:assumerole";
  if (principal == arn(iam, "root")) return of_root(request, takes_role);
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<policy::Explanation> {
    const auto caller = caller_named(iam, records, principal);
    if (!caller) return caller.error();
    request.principal = (*caller)->principal();
    policy::Groups groups = (*caller)->groups();
    policy::PolicySet trust;
    if (takes_role) {
      const Failure missing(Kind::no_such_entity,
                            "There is no role " + std::string(request.resource) + '.');
      const auto role = load_role(iam, records, request.resource, missing);
      if (!role) return role.error();
      trust = trust_of(*role, (*caller)->variables);
      groups.resource = &trust;
      groups.trust = true;
    }
    return policy::explain(groups, request);
  });
}

}  // namespace gnomon::iam
