#include "iam/callers.h"

#include <utility>
#include <vector>

#include "iam/managed.h"
#include "policy/document.h"
#include "policy/policy_set.h"

namespace gnomon::iam {

namespace {

using VariablesPtr = std::shared_ptr<const policy::Variables>;
using SetPtr = std::shared_ptr<const policy::PolicySet>;

// Compiler: of the policies of one caller.
class Compiler {
 public:
  Compiler(records::Transaction& records, VariablesPtr variables)
      : records_(records), variables_(std::move(variables)) {}

  void add(const std::string& name, const std::string& via, const std::string& document) {
    auto parsed = policy::parse(document, policy::Dialect::iam);
    if (!parsed) return records_.fail(Error{Code::unavailable, "policy " + name + " is damaged"});
    bytes_ += document.size();
    sources_.push_back({name, via, std::make_shared<const policy::Document>(*std::move(parsed))});
  }
  SetPtr take() {
    return std::make_shared<const policy::PolicySet>(
        policy::PolicySet::compile(std::exchange(sources_, {}), variables_));
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  records::Transaction& records_;
  VariablesPtr variables_;
  std::vector<policy::Source> sources_;
  std::size_t bytes_ = 0;  // of all that was added
};

void add_managed(const Iam& iam, records::Transaction& records, Compiler& compiler,
                 const Entity& entity, const std::string& policy_arn) {
  const auto policy = load_policy(iam, records, policy_arn);
  if (!policy) return records.fail(Error{Code::unavailable, policy.error().message});
  compiler.add(policy_arn, entity.name, default_of(*policy).document);
}

void add_identity(const Iam& iam, records::Transaction& records, Compiler& compiler,
                  const Entity& entity, Caller& caller) {
  for (const auto& [name, document] : entity.policies) compiler.add(name, entity.name, document);
  for (const std::string& policy_arn : entity.attached)
    add_managed(iam, records, compiler, entity, policy_arn);
  caller.identity = compiler.take();
  if (entity.boundary.empty()) return;
  add_managed(iam, records, compiler, entity, entity.boundary);
  caller.boundary = compiler.take();
}

void set_tags(policy::Variables& variables, const Tags& tags) {
  for (const auto& [name, value] : tags) variables.set("aws:PrincipalTag/" + name, value);
}

// AWS: what all temporary credentials have, and no others.
void set_session(policy::Variables& variables, const Session& session) {
  variables.set("aws:MultiFactorAuthPresent", "false");
  variables.set("aws:TokenIssueTime", to_string(session.issued));
  if (!session.source_identity.empty())
    variables.set("aws:SourceIdentity", session.source_identity);
}

}  // namespace

std::shared_ptr<Caller> caller_of_user(const Iam& iam, records::Transaction& records,
                                       const Entity& user, std::string_view access_key_id,
                                       const Session* own) {
  auto caller = std::make_shared<Caller>();
  caller->kind = Caller::Kind::user;
  caller->account = iam.account;
  caller->arn = arn(iam, EntityKind::user, user);
  caller->user_id = user.id;
  caller->access_key_id = access_key_id;
  caller->user_name = user.name;
  policy::Variables variables;
  variables.set("aws:username", user.name);
  variables.set("aws:userid", user.id);
  variables.set("aws:PrincipalArn", caller->arn);
  variables.set("aws:PrincipalAccount", iam.account);
  variables.set("aws:PrincipalType", "User");
  set_tags(variables, user.tags);
  if (own != nullptr) set_session(variables, *own);
  caller->variables = std::make_shared<const policy::Variables>(std::move(variables));
  Compiler compiler(records, caller->variables);
  add_identity(iam, records, compiler, user, *caller);
  caller->policy_bytes = compiler.bytes();
  return own == nullptr ? caller : with_session(std::move(caller), *own);
}

std::shared_ptr<Caller> with_session(std::shared_ptr<Caller> caller, const Session& session) {
  caller->temporary = true;
  caller->access_key_id = session.access_key_id;
  caller->expires = session.expires;
  caller->session_tags = session.tags;
  caller->transitive_keys = session.transitive_keys;
  caller->source_identity = session.source_identity;
  return caller;
}

std::shared_ptr<Caller> caller_of_role(const Iam& iam, records::Transaction& records,
                                       const Entity& role, const Session& session) {
  auto caller = std::make_shared<Caller>();
  caller->kind = Caller::Kind::session;
  caller->account = iam.account;
  caller->arn = assumed_arn(iam, session);
  caller->user_id = role.id + ':' + session.name;
  caller->role_arn = arn(iam, EntityKind::role, role);
  policy::Variables variables;
  variables.set("aws:userid", caller->user_id);
  variables.set("aws:PrincipalArn", caller->role_arn);
  variables.set("aws:PrincipalAccount", iam.account);
  variables.set("aws:PrincipalType", "AssumedRole");
  set_tags(variables, role.tags);
  set_tags(variables, session.tags);  // these win
  set_session(variables, session);
  for (const auto& [key, value] : session.keys) variables.set(key, value);
  caller->variables = std::make_shared<const policy::Variables>(std::move(variables));
  Compiler compiler(records, caller->variables);
  add_identity(iam, records, compiler, role, *caller);
  for (const std::string& document : session.policies)
    compiler.add("session policy", session.name, document);
  if (!session.policies.empty()) caller->session = compiler.take();
  caller->policy_bytes = compiler.bytes();
  return with_session(std::move(caller), session);
}

}  // namespace gnomon::iam
