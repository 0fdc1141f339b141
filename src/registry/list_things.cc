// list_things() of things.h.
#include "registry/thing_records.h"
#include "registry/things.h"

namespace gnomon::registry {

namespace {

// Which table answers a request, and how the name of a thing stands in it.
struct Plan {
  Listing listing;
  bool value_first = false;  // of the attribute, then the name
};

std::string name_in(const Plan& plan, const Entry& entry) {
  records::KeyReader parts(entry.rest);
  if (plan.value_first) parts.text();
  return std::string(parts.rest());
}

Reply<Plan> make_plan(const ListThings& request) {
  const std::string& name = request.attribute_name;
  const std::string& type = request.thing_type_name;
  const auto& value = request.attribute_value;
  if (!name.empty()) {
    Plan plan{{"things by attribute", key(Table::thing_by_attribute).text(name)}, true};
    if (!value) return plan;
    if (request.use_prefix_attribute_value) {
      plan.listing.from = *value;
    } else {
      plan.listing.prefix.text(*value);
      plan.value_first = false;
    }
    return plan;
  }
  if (value) return invalid("attributeValue needs attributeName.");
  if (type.empty()) return Plan{{"things", key(Table::thing)}};
  return Plan{{"things by type", key(Table::thing_by_type).text(type)}};
}

}  // namespace

Reply<Page<ThingAttribute>> list_things(const Registry& registry, const ListThings& request) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<ThingAttribute>> {
        auto plan = make_plan(request);
        if (!plan) return plan.error();
        if (!request.attribute_name.empty() && !request.thing_type_name.empty()) {
          plan->listing.name += " of type " + request.thing_type_name;
          plan->listing.keep = [&](const Entry& entry) {
            return entry.value == request.thing_type_name;
          };
        }
        const auto entries = list(records, plan->listing, request.page);
        if (!entries) return entries.error();
        Page<ThingAttribute> page{{}, entries->next_token};
        for (const Entry& entry : entries->items) {
          std::string name = name_in(*plan, entry);
          auto thing = load_thing(records, name);
          if (!thing) continue;  // deleted a moment ago
          std::string arn = registry::arn(registry, "thing/" + name);
          page.items.push_back({std::move(name), std::move(thing->type), std::move(arn),
                                std::move(thing->attributes), thing->version});
        }
        return page;
      });
}

}  // namespace gnomon::registry
