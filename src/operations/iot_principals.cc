// AttachThingPrincipal, DetachThingPrincipal, ListThingPrincipals, ListThingPrincipalsV2,
// ListPrincipalThings, ListPrincipalThingsV2.
#include <optional>

#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/principals.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using registry::ThingPrincipalType;

std::optional<ThingPrincipalType> type_of(const json::Value& input) {
  const std::string_view type = text(input, "thingPrincipalType");
  if (type.empty()) return std::nullopt;
  return type == to_string(ThingPrincipalType::exclusive_thing)
             ? ThingPrincipalType::exclusive_thing
             : ThingPrincipalType::non_exclusive_thing;
}

Outcome attach_thing_principal(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::attach_thing_principal(
      context.world.registry,
      {.thing_name = text_copy(input, "thingName"),
       .principal = text_copy(input, "principal"),
       .thing_principal_type = type_of(input).value_or(ThingPrincipalType::non_exclusive_thing)}));
}

Outcome detach_thing_principal(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::detach_thing_principal(
      context.world.registry, text_copy(input, "thingName"), text_copy(input, "principal")));
}

auto principals_of(Context& context, const json::Value& input) {
  return registry::list_thing_principals(context.world.registry, text(input, "thingName"),
                                         type_of(input), page_of(input, by_token));
}

Outcome list_thing_principals(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      principals_of(context, input), output, "principals", by_token,
      [](const registry::ThingPrincipalObject& one) { return text_value(one.principal); });
}

Outcome list_thing_principals_v2(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(principals_of(context, input), output, "thingPrincipalObjects", by_token,
                     [](const registry::ThingPrincipalObject& one) -> bj::value {
                       return {{"principal", one.principal},
                               {"thingPrincipalType", to_string(one.thing_principal_type)}};
                     });
}

auto things_of(Context& context, const json::Value& input) {
  return registry::list_principal_things(context.world.registry, text(input, "principal"),
                                         type_of(input), page_of(input, by_token));
}

Outcome list_principal_things(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      things_of(context, input), output, "things", by_token,
      [](const registry::PrincipalThingObject& one) { return text_value(one.thing_name); });
}

Outcome list_principal_things_v2(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(things_of(context, input), output, "principalThingObjects", by_token,
                     [](const registry::PrincipalThingObject& one) -> bj::value {
                       return {{"thingName", one.thing_name},
                               {"thingPrincipalType", to_string(one.thing_principal_type)}};
                     });
}

constexpr Entry entries[] = {
    {"AttachThingPrincipal", attach_thing_principal},
    {"DetachThingPrincipal", detach_thing_principal},
    {"ListThingPrincipals", list_thing_principals},
    {"ListThingPrincipalsV2", list_thing_principals_v2},
    {"ListPrincipalThings", list_principal_things},
    {"ListPrincipalThingsV2", list_principal_things_v2},
};

}  // namespace

Entries iot_principals() { return entries; }

}  // namespace gnomon::operations
