#include <algorithm>

#include "base/limits.h"
#include "iam/entities.h"
#include "iam/stored.h"

namespace gnomon::iam {

namespace {

Failure no_key(const std::string& id) {
  return {Kind::no_such_entity, "The Access Key with id " + id + " cannot be found."};
}

// Of exactly this user. Errors: no_such_entity.
Reply<AccessKey> load_key(records::Transaction& records, const Entity& user,
                          const std::string& id) {
  auto access_key = load<AccessKey>(records, key(Table::access_key, id));
  if (!access_key || access_key->user_id != user.id) return no_key(id);
  return *std::move(access_key);
}

}  // namespace

Written<NewAccessKey> create_access_key(Iam& iam, const std::string& user) {
  return change(iam, [&](records::Transaction& records) -> Reply<NewAccessKey> {
    const Owner owner{EntityKind::user, user};
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    if (entity->access_keys.size() >= limits::access_keys_max) {
      return Failure(Kind::limit_exceeded, "Cannot exceed quota for AccessKeysPerUser: " +
                                               std::to_string(limits::access_keys_max));
    }
    NewAccessKey made{{new_id(iam.random, "AKIA", 20), entity->id, "", true, iam.clock.now()},
                      new_secret(iam.random)};
    made.key.sealed = iam.sealer.seal(made.secret, sealed_for(made.key.id), iam.random);
    entity->access_keys.push_back(made.key.id);
    save(records, key(owner), *entity);
    save(records, key(Table::access_key, made.key.id), made.key);
    return made;
  });
}

Written<Nothing> update_access_key(Iam& iam, const std::string& user, const std::string& id,
                                   bool active) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    if (!active) records.always();
    const auto entity = load_entity(records, {EntityKind::user, user});
    if (!entity) return entity.error();
    auto access_key = load_key(records, *entity, id);
    if (!access_key) return access_key.error();
    access_key->active = active;
    save(records, key(Table::access_key, id), *access_key);
    return Nothing{};
  });
}

Written<Nothing> delete_access_key(Iam& iam, const std::string& user, const std::string& id) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    records.always();
    const Owner owner{EntityKind::user, user};
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    if (auto access_key = load_key(records, *entity, id); !access_key) return access_key.error();
    std::erase(entity->access_keys, id);
    save(records, key(owner), *entity);
    records.erase(key(Table::access_key, id));
    return Nothing{};
  });
}

Reply<std::vector<AccessKey>> list_access_keys(const Iam& iam, const std::string& user) {
  using Keys = std::vector<AccessKey>;
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<Keys> {
    const auto entity = load_entity(records, {EntityKind::user, user});
    if (!entity) return entity.error();
    Keys keys;
    for (const std::string& id : entity->access_keys) {
      if (auto one = load<AccessKey>(records, key(Table::access_key, id)))
        keys.push_back(*std::move(one));
    }
    std::ranges::sort(keys, {}, &AccessKey::id);
    return keys;
  });
}

Reply<std::size_t> count_unreadable_keys(const Iam& iam) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<std::size_t> {
    std::size_t count = 0;
    const records::Key all = key(Table::access_key);
    records.scan(all, all.behind(), [&](std::string_view, std::string_view value) {
      const auto one = decode<AccessKey>(records, value);
      if (!iam.sealer.open(one.sealed, sealed_for(one.id))) ++count;
      return true;
    });
    return count;
  });
}

Reply<std::string> user_of_access_key(const Iam& iam, const std::string& id) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<std::string> {
    const auto access_key = load<AccessKey>(records, key(Table::access_key, id));
    if (!access_key) return no_key(id);
    const auto name = records.get(key(Table::user_by_id, access_key->user_id));
    if (!name) return no_key(id);
    return std::string(*name);
  });
}

}  // namespace gnomon::iam
