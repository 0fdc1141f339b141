#include "registry/principals.h"

#include "registry/attachment_records.h"
#include "registry/steps.h"
#include "registry/target.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

ThingPrincipalType type_of(const stored::Link& link) {
  return link.exclusive ? ThingPrincipalType::exclusive_thing
                        : ThingPrincipalType::non_exclusive_thing;
}

// A thing, one of its principals, and what is between them.
class Pair {
 public:
  static Reply<Pair> find(Change& change, const std::string& thing_name,
                          const std::string& principal) {
    const auto named = principal_of(change.registry, principal);
    if (!named) return named.error();
    auto thing = load_thing(change.records, thing_name);
    if (!thing) return no_thing(thing_name);
    const auto target = find_target(change.records, *named);
    if (!target) return target.error();
    return Pair(change, thing_name, std::move(*thing), *target);
  }

  [[nodiscard]] const stored::Attachment& attachment() const { return attachment_; }
  [[nodiscard]] bool attached() const { return link_.has_value(); }

  void attach(bool exclusive) {
    if (!link_) {
      ++thing_.principals;
      ++attachment_.things;
    }
    attachment_.exclusive = exclusive;
    link_ = stored::Link{exclusive};
    write();
  }
  void detach() {
    --thing_.principals;
    --attachment_.things;
    attachment_.exclusive = false;
    link_.reset();
    write();
  }

 private:
  Pair(Change& change, const std::string& thing_name, stored::Thing thing, const Target& target)
      : change_(change),
        name_(thing_name),
        target_(target),
        thing_(std::move(thing)),
        attachment_(load_attachment(change.records, target)),
        link_(load<stored::Link>(change.records, by_thing())) {}

  [[nodiscard]] records::Key by_thing() const {
    return key(Table::thing_principal, name_, target_.text());
  }
  [[nodiscard]] records::Key by_principal() const {
    return key(Table::principal_thing, target_.text(), name_);
  }

  void write() {
    if (link_) {
      save(change_.records, by_thing(), *link_);
      save(change_.records, by_principal(), *link_);
    } else {
      change_.records.erase(by_thing());
      change_.records.erase(by_principal());
    }
    // Both counts: who deletes the thing or the certificate reads one of them.
    save(change_.records, key(Table::thing, name_), thing_);
    save_attachment(change_.records, target_, attachment_);
    change_.touched.principals.insert(target_.id);
  }

  Change& change_;
  const std::string& name_;
  Target target_;
  stored::Thing thing_;
  stored::Attachment attachment_;
  std::optional<stored::Link> link_;
};

// Only links of this type.
void filter(Listing& listing, records::Transaction& records,
            std::optional<ThingPrincipalType> type) {
  if (!type) return;
  listing.name += ' ' + std::string(to_string(*type));
  listing.keep = [&records, type](const Entry& entry) {
    return type_of(decode<stored::Link>(records, entry.value)) == *type;
  };
}

}  // namespace

std::string_view to_string(ThingPrincipalType type) {
  return type == ThingPrincipalType::exclusive_thing ? "EXCLUSIVE_THING" : "NON_EXCLUSIVE_THING";
}

Reply<Nothing> attach_thing_principal(Change& change, const AttachThingPrincipal& request) {
  auto pair = Pair::find(change, request.thing_name, request.principal);
  if (!pair) return pair.error();
  const bool exclusive = request.thing_principal_type == ThingPrincipalType::exclusive_thing;
  const stored::Attachment& is = pair->attachment();
  const std::uint64_t others = is.things - (pair->attached() ? 1 : 0);
  if (others > 0 && is.exclusive) {
    return invalid("The principal is attached to another thing as its only one (" +
                   std::string(to_string(ThingPrincipalType::exclusive_thing)) + ").");
  }
  if (others > 0 && exclusive)
    return invalid("The principal is attached to other things, so it cannot be for this alone.");
  if (!pair->attached() || is.exclusive != exclusive) pair->attach(exclusive);
  return Nothing{};
}

Written<Nothing> attach_thing_principal(Registry& registry, const AttachThingPrincipal& request) {
  return change(registry, [&](Change& change) { return attach_thing_principal(change, request); });
}

Written<Nothing> detach_thing_principal(Registry& registry, const std::string& thing_name,
                                        const std::string& principal) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    auto pair = Pair::find(change, thing_name, principal);
    if (!pair) return pair.error();
    if (pair->attached()) pair->detach();
    return Nothing{};
  });
}

Reply<Page<ThingPrincipalObject>> list_thing_principals(const Registry& registry,
                                                        std::string_view thing_name,
                                                        std::optional<ThingPrincipalType> type,
                                                        const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<ThingPrincipalObject>> {
        if (!load_thing(records, thing_name)) return no_thing(thing_name);
        Listing listing{"principals of a thing", key(Table::thing_principal).text(thing_name)};
        filter(listing, records, type);
        return convert<ThingPrincipalObject>(list(records, listing, page), [&](const Entry& entry) {
          return ThingPrincipalObject{to_string(registry, target_of(entry.rest)),
                                      type_of(decode<stored::Link>(records, entry.value))};
        });
      });
}

Reply<Page<PrincipalThingObject>> list_principal_things(const Registry& registry,
                                                        std::string_view principal,
                                                        std::optional<ThingPrincipalType> type,
                                                        const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<PrincipalThingObject>> {
        const auto named = principal_of(registry, principal);
        if (!named) return named.error();
        const auto target = find_target(records, *named);
        if (!target) return target.error();
        Listing listing{"things of a principal", key(Table::principal_thing).text(target->text())};
        filter(listing, records, type);
        return convert<PrincipalThingObject>(list(records, listing, page), [&](Entry& entry) {
          const auto kind = type_of(decode<stored::Link>(records, entry.value));
          return PrincipalThingObject{std::move(entry.rest), kind};
        });
      });
}

Reply<bool> is_attached(const Registry& registry, std::string_view thing_name,
                        std::string_view principal_id) {
  return records::read(registry.store, [&](records::Transaction& records) -> Reply<bool> {
    return !records.absent(
        key(Table::thing_principal, thing_name, target_with_id(principal_id).text()));
  });
}

}  // namespace gnomon::registry
