#include "iam/sessions.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "base/limits.h"
#include "crypto/base64.h"
#include "iam/callers.h"
#include "iam/managed.h"
#include "iam/stored.h"
#include "iam/trust.h"
#include "policy/document.h"
#include "policy/evaluate.h"

namespace gnomon::iam {

namespace {

using std::chrono::seconds;

// What tokens are sealed for.
std::string session_seal(const Iam& iam) { return "session of " + iam.account; }

Failure denied(std::string_view who, std::string_view action, std::string_view role_arn) {
  return {Kind::denied, "User: " + std::string(who) + " is not authorized to perform: " +
                            std::string(action) + " on resource: " + std::string(role_arn)};
}

// The condition keys of a call, with the values that they borrow from it.
class Keys {
 public:
  explicit Keys(std::span<const policy::KeyValues> others) : all_(others.begin(), others.end()) {}

  void add(std::string key, std::vector<std::string_view> values) {
    if (values.empty() || (values.size() == 1 && values[0].empty())) return;
    added_.push_back({std::move(key), std::move(values)});
    all_.push_back({added_.back().name, added_.back().values});
  }
  // A tag may be empty, and is there all the same.
  void add_tag(const char* prefix, const std::string& key, const std::string& value) {
    added_.push_back({prefix + key, {value}});
    all_.push_back({added_.back().name, added_.back().values});
  }
  void add_tags(const char* prefix, const Tags& tags) {
    for (const auto& [key, value] : tags) add_tag(prefix, key, value);
  }
  // What is acted on.
  void add_role(const Entity& role) {
    add_tags("aws:ResourceTag/", role.tags);
    add_tags("iam:ResourceTag/", role.tags);
  }
  [[nodiscard]] std::span<const policy::KeyValues> all() const { return all_; }

 private:
  struct Added {
    std::string name;
    std::vector<std::string_view> values;
  };
  std::deque<Added> added_;  // what is in it stays where it is
  std::vector<policy::KeyValues> all_;
};

std::size_t packed_size(const AssumeRole& request) {
  std::size_t size = request.policy.size();
  for (const auto& [key, value] : request.tags) size += key.size() + value.size();
  return size;
}

// The tags of the new session: those of the call, and those that go on with the caller.
Reply<Nothing> set_tags(Session& session, const Caller& caller, const AssumeRole& request) {
  if (auto checked = check_tags(request.tags); !checked) return checked.error();
  session.tags = request.tags;
  std::set<std::string, IgnoringCase> transitive;
  for (const std::string& key : caller.transitive_keys) {
    const auto inherited = caller.session_tags.find(key);
    if (inherited == caller.session_tags.end()) continue;
    transitive.insert(key);
    if (!session.tags.insert(*inherited).second) {
      return Failure(Kind::validation,
                     "The tag " + key + " is inherited and cannot be given another value.");
    }
  }
  for (const std::string& key : request.transitive_keys) {
    if (!session.tags.contains(key))
      return Failure(Kind::validation, "The transitive tag key " + key + " has no tag.");
    transitive.insert(key);
  }
  if (session.tags.size() > limits::tags_max) {
    return Failure(Kind::validation, "A session can have at most " +
                                         std::to_string(limits::tags_max) +
                                         " tags, with those that it inherits.");
  }
  session.transitive_keys.assign(transitive.begin(), transitive.end());
  return Nothing{};
}

// What the new session is to be, whatever the role. Errors: validation, invalid_input (the tags).
Reply<Session> session_of(const Caller& caller, const AssumeRole& request) {
  Session session;
  session.name = request.session_name;
  if (!request.policy.empty()) session.policies.push_back(request.policy);
  session.source_identity =
      request.source_identity.empty() ? caller.source_identity : request.source_identity;
  if (auto checked = set_tags(session, caller, request); !checked) return checked.error();
  return session;
}

Reply<seconds> duration_of(const Caller& caller, const AssumeRole& request, const Entity& role) {
  const seconds asked(request.seconds.value_or(3600));
  if (!caller.role_arn.empty() && asked > std::chrono::hours(1)) {
    return Failure(Kind::validation,
                   "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                   "assumed by role chaining");
  }
  if (asked > seconds(role.max_session_seconds)) {
    return Failure(Kind::validation,
                   "The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                   "role.");
  }
  return asked;
}

// Whether the trust policy, together with what the caller's policies say, lets them have such a
// session. What it inherits must be trusted as what the call names.
Reply<Nothing> check_trust(const Caller& caller, const AssumeRole& request, const Entity& role,
                           const Session& session, WallTime now) {
  const policy::PolicySet trust = trust_of(role, caller.variables);
  policy::Groups groups = caller.groups();
  groups.resource = &trust;
  groups.trust = true;
  Keys keys(request.keys);
  keys.add_role(role);
  keys.add("sts:RoleSessionName", {session.name});
  keys.add("sts:ExternalId", {request.external_id});
  keys.add("sts:SourceIdentity", {session.source_identity});
  keys.add_tags("aws:RequestTag/", session.tags);
  std::vector<std::string_view> tag_keys;
  for (const auto& [key, value] : session.tags) tag_keys.emplace_back(key);
  keys.add("aws:TagKeys", std::move(tag_keys));
  keys.add("sts:TransitiveTagKeys",
           {session.transitive_keys.begin(), session.transitive_keys.end()});
  std::vector<std::string_view> actions{"sts:AssumeRole"};
  if (!session.tags.empty()) actions.emplace_back("sts:TagSession");
  if (!session.source_identity.empty()) actions.emplace_back("sts:SetSourceIdentity");
  for (const std::string_view action : actions) {
    const policy::Request asked{.action = action,
                                .resource = request.role_arn,
                                .keys = keys.all(),
                                .now = now,
                                .principal = caller.principal()};
    if (policy::evaluate(groups, asked) != policy::Verdict::allowed)
      return denied(caller.arn, action, request.role_arn);
  }
  return Nothing{};
}

Reply<Nothing> check_form(const Caller& caller, const AssumeRole& request) {
  if (!request.policy.empty()) {
    const auto parsed = policy::parse(request.policy, policy::Dialect::iam);
    if (!parsed) return Failure(Kind::malformed_policy, parsed.error().message);
  }
  if (packed_size(request) > limits::session_policy_bytes_max) {
    return Failure(Kind::packed_policy_too_large,
                   "The session policy and tags take " + std::to_string(packed_size(request)) +
                       " bytes; at most " + std::to_string(limits::session_policy_bytes_max) +
                       " are allowed.");
  }
  if (!caller.source_identity.empty() && !request.source_identity.empty() &&
      caller.source_identity != request.source_identity) {
    return denied(caller.arn, "sts:SetSourceIdentity", request.role_arn);
  }
  return Nothing{};
}

}  // namespace

Credentials issue_credentials(const Iam& iam, Session session, seconds duration) {
  session.access_key_id = new_id(iam.random, "ASIA", 20);
  session.secret = new_secret(iam.random);
  session.issued = iam.clock.now();
  session.expires = session.issued + duration;
  const std::string sealed =
      iam.sealer.seal(records::write(session), session_seal(iam), iam.random);
  return {session.access_key_id, session.secret, crypto::base64(as_bytes(sealed)), session.expires};
}

std::optional<Session> open_token(const Iam& iam, std::string_view access_key_id,
                                  std::string_view token) {
  const auto sealed = crypto::from_base64(token);
  if (!sealed) return std::nullopt;
  const auto text = iam.sealer.open(*sealed, session_seal(iam));
  Session session;
  if (!text || !records::read(*text, session) || session.access_key_id != access_key_id)
    return std::nullopt;
  return session;
}

namespace {

struct Taken {
  Entity role;
  Session session;
};

// Whether the service may take the role: its trust policy decides.
Reply<Taken> take_role(const Iam& iam, records::Transaction& records, std::string_view role_arn,
                       std::string_view service, const ServiceSession& wanted,
                       const ServiceSource& source) {
  const Failure refusal = denied(service, "sts:AssumeRole", role_arn);
  auto role = load_role(iam, records, role_arn, refusal);
  if (!role) return role.error();
  Keys keys({});
  keys.add_role(*role);
  keys.add("aws:SourceArn", {source.arn});
  keys.add("aws:SourceAccount", {source.account});
  keys.add("aws:PrincipalIsAWSService", {"true"});
  keys.add("aws:PrincipalServiceName", {service});
  const policy::PolicySet trust = trust_of(*role, nullptr);
  policy::Request request{.action = "sts:AssumeRole",
                          .resource = role_arn,
                          .keys = keys.all(),
                          .now = iam.clock.now(),
                          .principal = {}};
  request.principal.service = service;
  if (trust.grant(request) != policy::Grant::direct) return refusal;
  if (wanted.duration > seconds(role->max_session_seconds)) {
    return Failure(Kind::denied, "Sessions of the role " + role->name + " last " +
                                     std::to_string(role->max_session_seconds) +
                                     " seconds at most (MaxSessionDuration), not " +
                                     std::to_string(wanted.duration.count()) + '.');
  }
  Session session;
  session.of = role->id;
  session.role = role->name;
  session.name = wanted.name;
  session.keys = wanted.keys;
  return Taken{*std::move(role), std::move(session)};
}

}  // namespace

Reply<Credentials> assume(const Iam& iam, std::string_view role_arn, std::string_view service,
                          const ServiceSession& wanted, const ServiceSource& source) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<Credentials> {
    auto taken = take_role(iam, records, role_arn, service, wanted, source);
    if (!taken) return taken.error();
    return issue_credentials(iam, std::move(taken->session), wanted.duration);
  });
}

Reply<std::shared_ptr<const Caller>> act_as(const Iam& iam, std::string_view role_arn,
                                            std::string_view service, const ServiceSession& wanted,
                                            const ServiceSource& source) {
  using Acting = Reply<std::shared_ptr<const Caller>>;
  return records::read(iam.store, [&](records::Transaction& records) -> Acting {
    auto taken = take_role(iam, records, role_arn, service, wanted, source);
    if (!taken) return taken.error();
    taken->session.issued = iam.clock.now();
    taken->session.expires = taken->session.issued + wanted.duration;
    return std::shared_ptr<const Caller>(caller_of_role(iam, records, taken->role, taken->session));
  });
}

Reply<AssumedRole> assume_role(const Iam& iam, const Caller& caller, const AssumeRole& request) {
  if (caller.kind == Caller::Kind::nobody)
    return denied("nobody", "sts:AssumeRole", request.role_arn);
  if (caller.kind == Caller::Kind::root)
    return Failure(Kind::denied, "Roles may not be assumed by root accounts.");
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<AssumedRole> {
    if (auto checked = check_form(caller, request); !checked) return checked.error();
    auto session = session_of(caller, request);
    if (!session) return session.error();
    const auto role = load_role(iam, records, request.role_arn,
                                denied(caller.arn, "sts:AssumeRole", request.role_arn));
    if (!role) return role.error();
    session->of = role->id;
    session->role = role->name;
    if (auto checked = check_trust(caller, request, *role, *session, iam.clock.now()); !checked)
      return checked.error();
    const auto duration = duration_of(caller, request, *role);
    if (!duration) return duration.error();

    AssumedRole assumed;
    assumed.id = role->id + ':' + session->name;
    assumed.arn = assumed_arn(iam, *session);
    assumed.source_identity = session->source_identity;
    if (packed_size(request) > 0) {
      assumed.packed_percent =
          static_cast<std::int64_t>(100 * packed_size(request) / limits::session_policy_bytes_max);
    }
    assumed.credentials = issue_credentials(iam, *std::move(session), *duration);
    return assumed;
  });
}

Reply<Credentials> get_session_token(const Iam& iam, const Caller& caller,
                                     std::optional<std::int64_t> asked) {
  if (caller.temporary || caller.kind == Caller::Kind::nobody)
    return Failure(Kind::denied, "Cannot call GetSessionToken with session credentials");
  const bool root = caller.kind == Caller::Kind::root;
  seconds duration(asked.value_or(root ? 3600 : 43200));
  if (root) duration = std::min(duration, seconds(3600));  // AWS: longer ones are an hour
  Session session;
  session.of = root ? caller.access_key_id : caller.user_id;
  return issue_credentials(iam, std::move(session), duration);
}

std::string assumed_arn(const Iam& iam, const Session& session) {
  return "arn:aws:sts::" + iam.account + ":assumed-role/" + session.role + '/' + session.name;
}

}  // namespace gnomon::iam
