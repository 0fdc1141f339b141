#include "iam/stored.h"

#include <array>

#include "base/limits.h"
#include "crypto/base64.h"

namespace gnomon::iam {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

records::Key key(const Owner& owner) {
  return key(owner.kind == EntityKind::user ? Table::user : Table::role, lower_case(owner.name));
}

Reply<Entity> load_entity(records::Transaction& records, const Owner& owner) {
  auto entity = load<Entity>(records, key(owner));
  // Who asks in another case was allowed another name.
  if (entity && entity->name == owner.name) return *std::move(entity);
  return Failure(Kind::no_such_entity, "The " + std::string(to_string(owner.kind)) + " with name " +
                                           owner.name + " cannot be found.");
}

namespace {

records::Key count_key(Table of) {
  const char byte = static_cast<char>(of);
  return key(Table::count, {&byte, 1});
}

// Counted, if no record says it yet; who comes or goes meanwhile writes that record, too.
Count count_of(records::Transaction& records, Table of) {
  if (const auto count = load<Count>(records, count_key(of))) return *count;
  Count count;
  records.scan(key(of), key(of).behind(), [&](auto, auto) { return ++count.number != 0; });
  return count;
}

struct Quota {
  const char* name;
  std::uint64_t most;
};
Quota quota_of(Table of) {
  if (of == Table::user) return {"UsersPerAccount", limits::users_max};
  if (of == Table::role) return {"RolesPerAccount", limits::roles_max};
  return {"PoliciesPerAccount", limits::managed_policies_max};
}

}  // namespace

Reply<Nothing> count_up(records::Transaction& records, Table of) {
  Count count = count_of(records, of);
  const Quota quota = quota_of(of);
  if (count.number >= quota.most) {
    return Failure(Kind::limit_exceeded, "Cannot exceed quota for " + std::string(quota.name) +
                                             ": " + std::to_string(quota.most));
  }
  ++count.number;
  save(records, count_key(of), count);
  return Nothing{};
}

void count_down(records::Transaction& records, Table of) {
  Count count = count_of(records, of);
  if (count.number > 0) --count.number;
  save(records, count_key(of), count);
}

std::string new_id(Random& random, std::string_view prefix, std::size_t size) {
  std::string id(prefix);
  while (id.size() < size) id += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[random.next() & 31];
  return id;
}

std::string new_secret(Random& random) {
  std::array<std::uint8_t, 30> bytes{};
  random.fill(bytes);
  return crypto::base64(bytes);
}

std::string sealed_for(std::string_view access_key_id) {
  return "access key " + std::string(access_key_id);
}

}  // namespace gnomon::iam
