#include "iam/iam.h"

#include "base/bytes.h"
#include "crypto/hash.h"
#include "iam/callers.h"
#include "iam/known_callers.h"
#include "iam/stored.h"

namespace gnomon::iam {

namespace {

KeyRefusal unknown_key() {
  return {KeyRefusal::Reason::unknown_key,
          "The security token included in the request is invalid."};
}

KeyRefusal bad_token() {
  return {KeyRefusal::Reason::bad_token, "The security token included in the request is invalid."};
}

KeyRefusal inactive() {
  return {KeyRefusal::Reason::inactive, "The security token included in the request is invalid."};
}

std::shared_ptr<Caller> root_of(const Iam& iam) {
  auto caller = std::make_shared<Caller>();
  caller->kind = Caller::Kind::root;
  caller->account = iam.account;
  caller->arn = arn(iam, "root");
  caller->user_id = iam.account;
  caller->access_key_id = iam.root.access_key_id;
  return caller;
}

// Of a key that a user has.
Result<Signatory, KeyRefusal> signatory_of_user(const Iam& iam, records::Transaction& records,
                                                std::string_view access_key_id,
                                                std::string_view token) {
  const auto access_key = load<AccessKey>(records, key(Table::access_key, access_key_id));
  if (!access_key) return unknown_key();
  if (!token.empty()) return bad_token();
  if (!access_key->active) return inactive();
  const auto name = records.get(key(Table::user_by_id, access_key->user_id));
  if (!name) return unknown_key();
  const auto user = load_entity(records, {EntityKind::user, std::string(*name)});
  if (!user) return unknown_key();
  auto secret = iam.sealer.open(access_key->sealed, sealed_for(access_key_id));
  if (!secret) {
    return KeyRefusal(KeyRefusal::Reason::unavailable,
                      "The secret of access key " + access_key->id +
                          " does not open: it was sealed under another master key.");
  }
  return Signatory{*std::move(secret), caller_of_user(iam, records, *user, access_key_id)};
}

// Of a key that is in a session token. The session ends with the role or user that it is of.
Result<Signatory, KeyRefusal> signatory_of_session(const Iam& iam, records::Transaction& records,
                                                   std::string_view access_key_id,
                                                   std::string_view token, WallTime now) {
  const auto session = open_token(iam, access_key_id, token);
  if (!session) return bad_token();
  if (now >= session->expires) {
    return KeyRefusal(KeyRefusal::Reason::expired,
                      "The security token included in the request is expired");
  }
  if (!session->role.empty()) {
    const auto role = load_entity(records, {EntityKind::role, session->role});
    if (!role || role->id != session->of) return unknown_key();
    return Signatory{session->secret, caller_of_role(iam, records, *role, *session)};
  }
  if (session->of == iam.root.access_key_id)
    return Signatory{session->secret, with_session(root_of(iam), *session)};
  const auto name = records.get(key(Table::user_by_id, session->of));
  if (!name) return unknown_key();
  const auto user = load_entity(records, {EntityKind::user, std::string(*name)});
  if (!user) return unknown_key();
  return Signatory{session->secret, caller_of_user(iam, records, *user, access_key_id, &*session)};
}

// A session is known by its token as well, of which the hash will do.
std::string known_as(std::string_view access_key_id, std::string_view token) {
  std::string key(access_key_id);
  if (!token.empty()) key.append("/").append(as_text(crypto::sha256(as_bytes(token))));
  return key;
}

bool has_expired(const Signatory& signatory, WallTime now) {
  return signatory.caller->temporary && now >= signatory.caller->expires;
}

}  // namespace

std::shared_ptr<KnownCallers> make_known_callers() { return std::make_shared<KnownCallers>(); }

void forget_callers(const Iam& iam) { iam.known->forget(); }

std::string arn(const Iam& iam, std::string_view resource) {
  return "arn:aws:iam::" + iam.account + ':' + std::string(resource);
}

Result<Signatory, KeyRefusal> Iam::signatory(std::string_view access_key_id, std::string_view token,
                                             WallTime now) const {
  if (!root.access_key_id.empty() && access_key_id == root.access_key_id) {
    if (!token.empty()) return bad_token();
    return Signatory{root.secret, root_of(*this)};
  }
  const std::string key = known_as(access_key_id, token);
  if (const auto one = known->find(key); one && !has_expired(*one, now)) return *one;
  const std::uint64_t generation = known->generation();
  auto found = records::read(store, [&](records::Transaction& records) {
    return access_key_id.starts_with("ASIA")
               ? signatory_of_session(*this, records, access_key_id, token, now)
               : signatory_of_user(*this, records, access_key_id, token);
  });
  if (found) known->keep(key, generation, *found);
  return found;
}

}  // namespace gnomon::iam
