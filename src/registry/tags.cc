#include "registry/tags.h"

#include <array>

#include "base/limits.h"
#include "registry/change.h"
#include "registry/tables.h"
#include "registry/tag_records.h"

namespace gnomon::registry {

namespace {

struct TagsRecord {
  Tags tags;
  static void fields(auto& r, auto& archive) { archive(r.tags); }
};

struct Taggable {
  std::string_view kind;
  std::uint8_t table;
};
constexpr std::uint8_t id_of(Table table) { return static_cast<std::uint8_t>(table); }
constexpr std::array<Taggable, 7> taggables{{
    {"thingtype/", id_of(Table::thing_type)},
    {"thinggroup/", id_of(Table::group)},
    {"billinggroup/", id_of(Table::billing_group)},
    {"policy/", id_of(Table::policy)},
    {"cacert/", id_of(Table::authority)},
    {"provisioningtemplate/", template_table},
    {"rolealias/", role_alias_table},
}};

// The resource that an ARN names: "policy/dev". It is there, and whoever commits depends on that.
Reply<std::string> find_resource(const Registry& registry, records::Transaction& records,
                                 std::string_view arn) {
  const std::string_view resource = resource_of(registry, arn);
  for (const Taggable& taggable : taggables) {
    if (!resource.starts_with(taggable.kind)) continue;
    if (records.absent(records::Key(taggable.table).last(resource.substr(taggable.kind.size()))))
      return not_found("The resource " + std::string(arn) + " does not exist.");
    return std::string(resource);
  }
  return invalid("Invalid resource ARN: " + std::string(arn) +
                 " (expected a thing type, thing group, billing group, policy, CA certificate, "
                 "provisioning template or role alias of this account)");
}

Tags load_tags(records::Transaction& records, std::string_view resource) {
  return load<TagsRecord>(records, key(Table::tags, resource)).value_or(TagsRecord{}).tags;
}

void put_tags(records::Transaction& records, std::string_view resource, const Tags& tags) {
  if (tags.empty()) {
    records.erase(key(Table::tags, resource));
  } else {
    save(records, key(Table::tags, resource), TagsRecord{tags});
  }
}

Reply<Nothing> check(const Tags& tags) {
  for (const auto& [name, value] : tags)
    if (name.starts_with("aws:")) return invalid("Tag keys that begin with aws: are reserved.");
  return Nothing{};
}

std::string too_many() {
  return "A resource can have at most " + std::to_string(limits::tags_max) + " tags.";
}

}  // namespace

Reply<Nothing> save_tags(records::Transaction& records, std::string_view resource,
                         const Tags& tags) {
  if (tags.size() > limits::tags_max) return invalid(too_many());
  if (!tags.empty()) put_tags(records, resource, tags);
  return check(tags);
}

void erase_tags(records::Transaction& records, std::string_view resource) {
  records.erase(key(Table::tags, resource));
}

Written<Nothing> tag_resource(Registry& registry, std::string_view resource_arn, const Tags& tags) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const auto resource = find_resource(registry, change.records, resource_arn);
    if (!resource) return resource.error();
    if (auto checked = check(tags); !checked) return checked.error();
    Tags all = load_tags(change.records, *resource);
    for (const auto& [name, value] : tags) all[name] = value;
    if (all.size() > limits::tags_max) return Failure(Kind::limit_exceeded, too_many());
    put_tags(change.records, *resource, all);
    return Nothing{};
  });
}

Written<Nothing> untag_resource(Registry& registry, std::string_view resource_arn,
                                const std::vector<std::string>& tag_keys) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    const auto resource = find_resource(registry, change.records, resource_arn);
    if (!resource) return resource.error();
    Tags all = load_tags(change.records, *resource);
    for (const std::string& name : tag_keys) all.erase(name);
    put_tags(change.records, *resource, all);
    return Nothing{};
  });
}

Reply<Tags> list_tags_for_resource(const Registry& registry, std::string_view resource_arn) {
  return records::read(registry.store, [&](records::Transaction& records) -> Reply<Tags> {
    const auto resource = find_resource(registry, records, resource_arn);
    if (!resource) return resource.error();
    return load_tags(records, *resource);
  });
}

}  // namespace gnomon::registry
