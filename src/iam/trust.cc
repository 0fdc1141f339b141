#include "iam/trust.h"

#include <string>
#include <utility>

#include "iam/stored.h"
#include "policy/document.h"

namespace gnomon::iam {

Reply<Entity> load_role(const Iam& iam, records::Transaction& records, std::string_view role_arn,
                        const Failure& missing) {
  const std::string name(role_arn.substr(role_arn.rfind('/') + 1));
  auto role = load_entity(records, {EntityKind::role, name});
  if (!role || arn(iam, EntityKind::role, *role) != role_arn) return missing;
  return *std::move(role);
}

policy::PolicySet trust_of(const Entity& role, std::shared_ptr<const policy::Variables> variables) {
  auto parsed = policy::parse(role.trust, policy::Dialect::iam, policy::Kind::trust);
  if (!parsed) return {};
  return policy::PolicySet::compile(
      {{"trust", role.name, std::make_shared<const policy::Document>(*std::move(parsed))}},
      std::move(variables));
}

}  // namespace gnomon::iam
