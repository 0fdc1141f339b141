#include "iam/entities.h"

#include <algorithm>

#include "base/limits.h"
#include "iam/managed.h"
#include "iam/stored.h"
#include "policy/document.h"

namespace gnomon::iam {

namespace {

std::string capital(EntityKind kind) { return kind == EntityKind::user ? "User" : "Role"; }

Table table_of(EntityKind kind) { return kind == EntityKind::user ? Table::user : Table::role; }

Reply<Nothing> check_trust(const std::string& document) {
  if (policy::count_characters(document) > limits::trust_policy_characters_max) {
    return Failure(Kind::limit_exceeded, "Cannot exceed quota for ACLSizePerRole: " +
                                             std::to_string(limits::trust_policy_characters_max));
  }
  return check_document(document, policy::Kind::trust);
}

Reply<Nothing> create(const Iam& iam, records::Transaction& records, EntityKind kind,
                      const Entity& entity) {
  if (auto checked = check_tags(entity.tags); !checked) return checked.error();
  if (entity.tags.size() > limits::tags_max) return too_many_tags();
  const records::Key at = key(Owner{kind, entity.name});
  if (!records.absent(at)) {
    return Failure(Kind::entity_already_exists,
                   capital(kind) + " with name " + entity.name + " already exists.");
  }
  if (auto counted = count_up(records, table_of(kind)); !counted) return counted.error();
  if (!entity.boundary.empty()) {
    auto used =
        use(iam, records, {kind, entity.name}, entity, entity.boundary, Use::boundary, true);
    if (!used) return used.error();
  }
  save(records, at, entity);
  return Nothing{};
}

// Calls `alter(entity)`, which returns a Reply<T>, and writes the entity.
template <class F>
auto alter(Iam& iam, const Owner& owner, F&& function) {
  using Answer = std::invoke_result_t<F&, Entity&, records::Transaction&>;
  return change(iam, [&](records::Transaction& records) -> Answer {
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    auto answer = function(*entity, records);
    if (answer) save(records, key(owner), *entity);
    return answer;
  });
}

std::size_t policy_characters_max(EntityKind kind) {
  return kind == EntityKind::user ? limits::user_policy_characters_max
                                  : limits::role_policy_characters_max;
}

Failure no_policy(const Owner& owner, const std::string& name) {
  return {Kind::no_such_entity, "The " + std::string(to_string(owner.kind)) + " policy with name " +
                                    name + " cannot be found."};
}

}  // namespace

Reply<Nothing> check_document(const std::string& document, policy::Kind kind) {
  const auto parsed = policy::parse(document, policy::Dialect::iam, kind);
  if (parsed) return Nothing{};
  return Failure(Kind::malformed_policy, parsed.error().message);
}

Reply<Nothing> check_tags(const Tags& tags) {
  for (const auto& [name, value] : tags) {
    if (lower_case(name).starts_with("aws:")) {
      return Failure(Kind::invalid_input, "Tag keys that begin with aws: are reserved.");
    }
  }
  return Nothing{};
}

Failure too_many_tags() {
  return {Kind::limit_exceeded,
          "A resource can have at most " + std::to_string(limits::tags_max) + " tags."};
}

std::string_view to_string(EntityKind kind) { return kind == EntityKind::user ? "user" : "role"; }

std::string arn(const Iam& iam, EntityKind kind, const Entity& entity) {
  return arn(iam, std::string(to_string(kind)) + entity.path + entity.name);
}

Written<Entity> create_user(Iam& iam, const CreateUser& request) {
  return change(iam, [&](records::Transaction& records) -> Reply<Entity> {
    Entity user{.name = request.name,
                .path = request.path,
                .id = new_id(iam.random, "AIDA", 21),
                .created = iam.clock.now(),
                .tags = request.tags,
                .policies = {},
                .attached = {},
                .boundary = request.boundary,
                .access_keys = {},
                .trust = {},
                .description = {}};
    if (auto created = create(iam, records, EntityKind::user, user); !created)
      return created.error();
    records.put(key(Table::user_by_id, user.id), user.name);
    return user;
  });
}

Written<Entity> create_role(Iam& iam, const CreateRole& request) {
  return change(iam, [&](records::Transaction& records) -> Reply<Entity> {
    if (auto checked = check_trust(request.trust); !checked) return checked.error();
    Entity role{.name = request.name,
                .path = request.path,
                .id = new_id(iam.random, "AROA", 21),
                .created = iam.clock.now(),
                .tags = request.tags,
                .policies = {},
                .attached = {},
                .boundary = request.boundary,
                .access_keys = {},
                .trust = request.trust,
                .description = request.description,
                .max_session_seconds = request.max_session_seconds};
    if (auto created = create(iam, records, EntityKind::role, role); !created)
      return created.error();
    return role;
  });
}

Reply<Entity> get_entity(const Iam& iam, const Owner& owner) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<Entity> {
    return load_entity(records, owner);
  });
}

Reply<Page<Entity>> list_entities(const Iam& iam, EntityKind kind, std::string_view path_prefix,
                                  const PageRequest& request) {
  return records::read(iam.store, [&](records::Transaction& records) {
    return list_by_name<Entity>(records, key(Owner{kind, ""}), request, [&](const Entity& entity) {
      return entity.path.starts_with(path_prefix);
    });
  });
}

Written<Nothing> update_user(Iam& iam, const std::string& name,
                             const std::optional<std::string>& new_name,
                             const std::optional<std::string>& new_path) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    auto user = load_entity(records, {EntityKind::user, name});
    if (!user) return user.error();
    const records::Key from = key(Owner{EntityKind::user, name});
    const records::Key to = key(Owner{EntityKind::user, new_name.value_or(name)});
    if (to.view() != from.view()) {
      if (!records.absent(to)) {
        return Failure(Kind::entity_already_exists,
                       "User with name " + *new_name + " already exists.");
      }
      records.erase(from);
    }
    user->name = new_name.value_or(name);
    user->path = new_path.value_or(user->path);
    records.put(key(Table::user_by_id, user->id), user->name);
    save(records, to, *user);
    return Nothing{};
  });
}

Written<Entity> update_role(Iam& iam, const std::string& name,
                            const std::optional<std::string>& description,
                            const std::optional<std::uint64_t>& max_session_seconds) {
  return alter(iam, {EntityKind::role, name},
               [&](Entity& role, records::Transaction&) -> Reply<Entity> {
                 role.description = description.value_or(role.description);
                 role.max_session_seconds = max_session_seconds.value_or(role.max_session_seconds);
                 return role;
               });
}

Written<Nothing> update_trust(Iam& iam, const std::string& role, const std::string& document) {
  return alter(iam, {EntityKind::role, role},
               [&](Entity& entity, records::Transaction&) -> Reply<Nothing> {
                 if (auto checked = check_trust(document); !checked) return checked.error();
                 entity.trust = document;
                 return Nothing{};
               });
}

Written<Nothing> delete_entity(Iam& iam, const Owner& owner) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    records.always();
    const auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    const char* first = nullptr;
    if (!entity->policies.empty()) first = "must delete policies first.";
    if (!entity->attached.empty()) first = "must detach all policies first.";
    if (!entity->access_keys.empty()) first = "must delete access keys first.";
    if (first != nullptr) {
      return Failure(Kind::delete_conflict, "Cannot delete entity, " + std::string(first));
    }
    if (!entity->boundary.empty()) {
      auto freed = use(iam, records, owner, *entity, entity->boundary, Use::boundary, false);
      if (!freed) return freed.error();
    }
    records.erase(key(owner));
    count_down(records, table_of(owner.kind));
    if (owner.kind == EntityKind::user) records.erase(key(Table::user_by_id, entity->id));
    return Nothing{};
  });
}

Written<Nothing> tag_entity(Iam& iam, const Owner& owner, const Tags& tags) {
  return alter(iam, owner, [&](Entity& entity, records::Transaction&) -> Reply<Nothing> {
    if (auto checked = check_tags(tags); !checked) return checked.error();
    put_tags(entity.tags, tags);
    if (entity.tags.size() > limits::tags_max) return too_many_tags();
    return Nothing{};
  });
}

Written<Nothing> untag_entity(Iam& iam, const Owner& owner, const std::vector<std::string>& keys) {
  return alter(iam, owner, [&](Entity& entity, records::Transaction& records) -> Reply<Nothing> {
    records.always();
    for (const std::string& name : keys) entity.tags.erase(name);
    return Nothing{};
  });
}

Written<Nothing> put_policy(Iam& iam, const Owner& owner, const std::string& name,
                            const std::string& document) {
  return alter(iam, owner, [&](Entity& entity, records::Transaction&) -> Reply<Nothing> {
    entity.policies[name] = document;
    std::size_t characters = 0;
    for (const auto& [one, text] : entity.policies) characters += policy::count_characters(text);
    const std::size_t most = policy_characters_max(owner.kind);
    if (characters > most) {
      return Failure(Kind::limit_exceeded,
                     "Maximum policy size of " + std::to_string(most) + " bytes exceeded for " +
                         std::string(to_string(owner.kind)) + ' ' + owner.name);
    }
    return check_document(document, policy::Kind::identity);
  });
}

Reply<std::string> get_policy(const Iam& iam, const Owner& owner, const std::string& name) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<std::string> {
    const auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    const auto policy = entity->policies.find(name);
    if (policy == entity->policies.end()) return no_policy(owner, name);
    return policy->second;
  });
}

Written<Nothing> delete_policy(Iam& iam, const Owner& owner, const std::string& name) {
  return alter(iam, owner, [&](Entity& entity, records::Transaction& records) -> Reply<Nothing> {
    records.always();
    if (entity.policies.erase(name) == 0) return no_policy(owner, name);
    return Nothing{};
  });
}

}  // namespace gnomon::iam
