// Sessions: AssumeRole, GetSessionToken, and how services take a role. Nothing of a session is
// stored: all of it is in its session token, sealed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "iam/entities.h"
#include "iam/failure.h"
#include "iam/iam.h"
#include "policy/policy_set.h"

namespace gnomon::iam {

struct Credentials {
  std::string access_key_id, secret_access_key, session_token;
  WallTime expiration;
};

// A session, as its token holds it.
struct Session {
  std::string access_key_id, secret;
  std::string of;    // id of the role or the user; of the root: its access key
  std::string role;  // name of the role; "": the user or root has it for itself
  std::string name;  // of a role's session
  WallTime issued, expires;
  std::vector<std::string> policies;  // documents: the most that it may do
  Tags tags;
  std::vector<std::string> transitive_keys;  // of tags that a role taken from here on gets too
  std::string source_identity;
  std::map<std::string, std::string> keys;  // condition keys that a service has given it
  static void fields(auto& r, auto& archive) {
    archive(r.access_key_id, r.secret, r.of, r.role, r.name, r.issued, r.expires, r.policies,
            r.tags, r.transitive_keys, r.source_identity, r.keys);
  }
};

// Gives `session`, whose key, secret and times are set here, a token. For those who have checked
// that it may be.
[[nodiscard]] Credentials issue_credentials(const Iam& iam, Session session,
                                            std::chrono::seconds duration);
// Nothing: no token of this account, or of another key.
[[nodiscard]] std::optional<Session> open_token(const Iam& iam, std::string_view access_key_id,
                                                std::string_view token);

// "arn:aws:sts::123456789012:assumed-role/role/name".
[[nodiscard]] std::string assumed_arn(const Iam& iam, const Session& session);

// For what a service takes a role: the resource and its account. What is empty is not known.
struct ServiceSource {
  std::string arn, account;  // aws:SourceArn, aws:SourceAccount
};
// The session that it is to have.
struct ServiceSession {
  std::string name;
  std::chrono::seconds duration = std::chrono::hours(1);
  std::map<std::string, std::string> keys{};  // condition keys: credentials-iot:ThingName, …
};
// A service of this server takes a role: its trust policy must name `service`
// ("iot.amazonaws.com"). Errors: denied (that, or the role's sessions may not last so long).
Reply<Credentials> assume(const Iam& iam, std::string_view role_arn, std::string_view service,
                          const ServiceSession& session, const ServiceSource& source);

// The same for what the service does here and now: who it is then.
Reply<std::shared_ptr<const Caller>> act_as(const Iam& iam, std::string_view role_arn,
                                            std::string_view service, const ServiceSession& session,
                                            const ServiceSource& source);

struct AssumeRole {
  std::string role_arn, session_name;
  std::string policy;                   // a document, or ""
  std::optional<std::int64_t> seconds;  // an hour
  std::string external_id, source_identity;
  Tags tags;
  std::vector<std::string> transitive_keys;
  std::span<const policy::KeyValues> keys;  // further condition keys: aws:SourceIp
};
struct AssumedRole {
  Credentials credentials;
  std::string id, arn;  // "AROA…:name", "arn:aws:sts::123456789012:assumed-role/role/name"
  std::string source_identity;
  std::optional<std::int64_t> packed_percent;  // of what policies and tags may take
};
// The role's trust policy and the caller's policies decide; nobody else need ask them. Errors:
// denied, malformed_policy, packed_policy_too_large, validation (the duration, tags).
Reply<AssumedRole> assume_role(const Iam& iam, const Caller& caller, const AssumeRole& request);

// A session of the caller's own. Errors: denied (it is one already).
Reply<Credentials> get_session_token(const Iam& iam, const Caller& caller,
                                     std::optional<std::int64_t> seconds);

}  // namespace gnomon::iam
