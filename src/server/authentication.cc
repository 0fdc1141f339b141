#include "server/authentication.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "crypto/hash.h"
#include "server/permissions.h"

namespace gnomon::server {

using broker::Identity;
using broker::Refusal;
using broker::Verdict;
using mqtt::Reason;

namespace {

constexpr std::string_view user_prefix = "user/";

identity::Arrival arrival_of(const broker::Credentials& credentials) {
  return {std::string(credentials.client_id), credentials.peer.address(),
          credentials.security != nullptr ? credentials.security->host : "", credentials.persistent,
          credentials.last_will};
}

// Of whom nothing is known: they may nothing.
class Nobody final : public broker::Permissions {
 public:
  [[nodiscard]] bool may_publish(std::string_view, bool) const override { return false; }
  [[nodiscard]] bool may_subscribe(std::string_view) const override { return false; }
  [[nodiscard]] bool may_receive(std::string_view) const override { return false; }
};
std::shared_ptr<const broker::Permissions> nobody() {
  static const auto one = std::make_shared<const Nobody>();
  return one;
}
Refusal nobody(std::string why) {
  return {Reason::not_authorized, std::move(why), false, nobody()};
}

// Of one whose time is over: until then it might do what it might.
Refusal over(std::string why) {
  return {.why = std::move(why), .policy = false, .permissions = {}, .expired = true};
}

// Of one who may not connect, by its policies.
Refusal refuse(identity::Denial denial, std::shared_ptr<const broker::Permissions> permissions,
               std::string principal) {
  return {.why = std::move(denial.why),
          .policy = denial.policy,
          .permissions = std::move(permissions),
          .principal = std::move(principal)};
}

Refusal refuse(identity::Denial denial) {
  if (denial.trouble) return {Reason::server_unavailable, std::move(denial.why)};
  return nobody(std::move(denial.why));
}

// Stands for a user's password as the file has it: another one has another.
std::uint64_t basis_of(const crypto::PasswordHash& password) {
  std::uint64_t basis = 0;
  const auto hash = crypto::sha256(as_bytes(password.text()));
  std::memcpy(&basis, hash.data(), sizeof basis);
  return basis;
}

// Those of `before` that are not the same in `now`.
broker::Principals changed(const std::optional<Users>& before, const std::optional<Users>& now) {
  broker::Principals changed;
  if (!before) return changed;
  for (const auto& [name, password] : *before) {
    const auto* same = now && now->contains(name) ? &now->find(name)->second : nullptr;
    if (same == nullptr || same->text() != password.text())
      changed.names.push_back(std::string(user_prefix) + name);
  }
  return changed;  // sorted as users are
}

}  // namespace

std::string Authentication::Who::key() const {
  std::string key = principal;
  for (const std::string& part : {arrival.client_id, arrival.address}) (key += '\0') += part;
  return key;
}

Authentication::Authentication(const Setup& setup)
    : setup_(setup),
      arn_prefix_(std::make_shared<const std::string>(setup.arn_prefix)),
      secret_(32, '\0'),
      ground_(std::make_shared<Ground>(Known{})) {
  setup_.random.fill(std::span(reinterpret_cast<std::uint8_t*>(secret_.data()), secret_.size()));
}

broker::Principals Authentication::use(Known known) {
  auto made = std::make_shared<Ground>(std::move(known));
  const GroundPtr used = made;
  ground_.with([&](auto& ground) { ground.swap(made); });
  return changed(made->known.users, used->known.users);
}

std::optional<Verdict> Authentication::authenticate(const broker::Credentials& credentials,
                                                    Later later) {
  if (credentials.proof != nullptr) return by_signature(credentials, std::move(later));
  const runtime::Security* security = credentials.security;
  if (security != nullptr && !security->certificate.empty())
    return by_certificate(credentials, std::move(later));
  const GroundPtr ground = this->ground();
  // A name alone proves nothing and claims nothing: SDKs tell their version in it.
  if (credentials.username && credentials.password && ground->known.users) {
    return by_password(
        ground,
        {std::string(user_prefix).append(*credentials.username), "", arrival_of(credentials)},
        *credentials.password, std::move(later));
  }
  if (credentials.peer.is_loopback() && ground->known.local)
    return admit({"local", "", arrival_of(credentials)}, std::move(later));
  return Refusal{Reason::not_authorized,
                 "no identity: a certificate of the registry, a user of the password file, or a "
                 "loopback address with the setting local"};
}

std::optional<Verdict> Authentication::renew(const broker::Credentials& credentials,
                                             std::string_view principal, Later later) {
  if (credentials.proof != nullptr) return by_signature(credentials, std::move(later));
  const runtime::Security* security = credentials.security;
  if (security != nullptr && !security->certificate.empty())
    return by_certificate(credentials, std::move(later));
  const GroundPtr ground = this->ground();
  const Known& known = ground->known;
  if (!principal.starts_with(user_prefix)) {
    if (!known.local) return nobody("it is no identity any more");
    return admit({std::string(principal), "", arrival_of(credentials)}, std::move(later));
  }
  const Users none;
  const Users& users = known.users ? *known.users : none;
  const auto user = users.find(principal.substr(user_prefix.size()));
  if (user == users.end()) return nobody("it is no user any more");
  if (basis_of(user->second) != credentials.basis) return nobody("its password is another one now");
  return admit({std::string(principal), "", arrival_of(credentials), credentials.basis},
               std::move(later));
}

bool Authentication::may_know(const runtime::Peer& peer, const runtime::Security* security) const {
  if (security != nullptr && !security->certificate.empty()) return true;
  const GroundPtr ground = this->ground();
  return ground->known.users || (ground->known.local && peer.is_loopback());
}

// Since the upgrade its key may be gone, its session over, its policies others.
std::optional<Verdict> Authentication::by_signature(const broker::Credentials& credentials,
                                                    Later later) {
  const auto& proof = static_cast<const SignedBy&>(*credentials.proof);
  if (proof.caller->may_do_anything()) return Identity{proof.caller->user_id, nullptr};
  setup_.lookups.run([this, key = proof.caller->access_key_id, token = proof.security_token,
                      client_id = std::string(credentials.client_id), keys = proof.keys,
                      later = std::move(later)] {
    const auto signatory = setup_.iam.signatory(key, token, setup_.wall.now());
    if (signatory) return later(connect(signatory->caller, client_id, keys));
    const auto& [reason, why] = signatory.error();
    using Why = iam::KeyRefusal::Reason;
    if (reason == Why::unavailable) return later(Refusal{Reason::server_unavailable, why});
    later(reason == Why::expired ? over(why) : nobody(why));
  });
  return std::nullopt;
}

Verdict Authentication::connect(std::shared_ptr<const iam::Caller> caller,
                                std::string_view client_id,
                                const std::vector<api::KeyWithValues>& keys) {
  const std::string principal = caller->user_id, arn = caller->arn;
  // It ends at `expires`, and is there until just before.
  const WallTime until = caller->temporary ? WallTime{caller->expires.ms - 1} : WallTime::never();
  auto permissions =
      std::make_shared<const CallerPermissions>(std::move(caller), arn_prefix_, keys, setup_.wall);
  if (!permissions->may_connect(client_id))
    return refuse({arn + " may not connect by this client id", true}, std::move(permissions),
                  principal);
  return Identity{principal, std::move(permissions), until};
}

std::optional<Verdict> Authentication::by_certificate(const broker::Credentials& credentials,
                                                      Later later) {
  const std::string& der = credentials.security->certificate;
  return admit({crypto::hex(crypto::sha256(as_bytes(der))), der, arrival_of(credentials)},
               std::move(later));
}

// ---- what the policies say

std::optional<Verdict> Authentication::admit(Who who, Later later) {
  if (const auto remembered = recall(who)) return connect(who, *remembered);
  setup_.lookups.run(
      [this, who = std::move(who), later = std::move(later)] { later(look_up(who)); });
  return std::nullopt;
}

Verdict Authentication::look_up(const Who& who) {
  const std::uint64_t forgotten =
      memory_.with([](const Memory& memory) { return memory.forgotten; });
  identity::Outcome outcome;
  if (who.certificate.empty()) {
    outcome = setup_.devices.admit(who.principal, who.arrival);
  } else {
    const auto leaf = crypto::Certificate::from_der(as_bytes(who.certificate));
    if (!leaf) return nobody("the certificate " + leaf.error().message);
    if (const auto time = leaf->check_time(now()); !time) return over(time.error().message);
    outcome = setup_.devices.admit(*leaf, ground()->known.authorities, who.arrival);
  }
  if (auto* denial = std::get_if<identity::Denial>(&outcome)) return refuse(std::move(*denial));
  Remembered found{std::move(std::get<identity::Admission>(outcome)), nullptr};
  if (found.admission.policies) {
    found.permissions = std::make_shared<const PolicyPermissions>(found.admission.policies,
                                                                  arn_prefix_, setup_.wall);
  }
  remember(who, found, forgotten);
  return connect(who, found);
}

Verdict Authentication::connect(const Who& who, const Remembered& remembered) {
  if (auto denial = setup_.devices.connect(remembered.admission, who.arrival))
    return refuse(std::move(*denial), remembered.permissions, remembered.admission.principal);
  return Identity{remembered.admission.principal, remembered.permissions,
                  remembered.admission.not_after, who.basis};
}

// ---- what is remembered of it

std::optional<Authentication::Remembered> Authentication::recall(const Who& who) const {
  const WallTime now = setup_.wall.now();
  return memory_.with([&](const Memory& memory) -> std::optional<Remembered> {
    auto at = memory.entries.find(who.principal);  // the same for all that come as it
    if (at == memory.entries.end()) at = memory.entries.find(who.key());
    if (at == memory.entries.end()) return std::nullopt;
    const identity::Admission& admission = at->second.admission;
    if (now < admission.not_before || now > admission.not_after) return std::nullopt;
    return at->second;
  });
}

void Authentication::remember(const Who& who, const Remembered& found, std::uint64_t forgotten) {
  Entries freed;  // outside of the lock, which every CONNECT takes
  memory_.with([&](Memory& memory) {
    if (memory.forgotten != forgotten) return;  // it may be from before
    if (who.key().size() > limits::admission_key_bytes_max) return;
    if (memory.entries.size() >= limits::admissions_remembered_max) memory.entries.swap(freed);
    memory.entries[found.admission.anywhere ? who.principal : who.key()] = found;
  });
}

void Authentication::forget(const broker::Principals& principals) {
  Entries freed;
  memory_.with([&](Memory& memory) {
    ++memory.forgotten;
    if (principals.everyone) return memory.entries.swap(freed);
    for (const std::string& name : principals.names) {
      freed.insert(memory.entries.extract(name));
      const std::string with = name + '\0', behind = name + '\1';
      const auto end = memory.entries.lower_bound(behind);
      for (auto at = memory.entries.lower_bound(with); at != end;)
        freed.insert(memory.entries.extract(at++));
    }
  });
}

// ---- passwords

std::string Authentication::remembered(std::string_view user, ByteView password) const {
  Buffer text;  // its parts cannot be taken for others: the length stands in front
  text.append(std::to_string(user.size()) + ':');
  text.append(user);
  text.append(password);
  const auto hash = crypto::hmac_sha256(as_bytes(secret_), text.view());
  return {hash.begin(), hash.end()};
}

std::optional<Verdict> Authentication::by_password(const GroundPtr& ground, Who who,
                                                   ByteView password, Later later) {
  const std::string user = who.principal.substr(user_prefix.size());
  const std::string key = remembered(user, password);
  if (ground->passwords.with([&](const auto& right) { return right.contains(key); })) {
    who.basis = basis_of(ground->known.users->find(user)->second);
    return admit(std::move(who), std::move(later));
  }
  if (checks_.fetch_add(1) >= limits::password_checks_max) {
    checks_.fetch_sub(1);
    return Refusal{Reason::server_busy, "many passwords are being checked: try again later"};
  }
  setup_.passwords.run([this, ground, key, user, who = std::move(who),
                        password = std::string(as_text(password)), later = std::move(later)] {
    const Users& users = *ground->known.users;
    const auto at = users.find(user);
    static const crypto::PasswordHash nobody = crypto::PasswordHash::nobody();
    const bool right = (at == users.end() ? nobody : at->second).matches(password);
    checks_.fetch_sub(1);
    if (!right) {
      return later(
          Refusal{Reason::bad_user_name_or_password, "the user name or the password is wrong"});
    }
    Who proved = who;
    proved.basis = basis_of(at->second);
    ground->passwords.with([&](auto& passwords) {
      if (passwords.size() >= limits::passwords_remembered_max) passwords.clear();
      passwords.insert(key);
    });
    if (auto verdict = admit(std::move(proved), later)) later(std::move(*verdict));
  });
  return std::nullopt;
}

}  // namespace gnomon::server
