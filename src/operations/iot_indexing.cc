// UpdateIndexingConfiguration, GetIndexingConfiguration, ListIndices, DescribeIndex.
#include <algorithm>

#include <boost/json.hpp>

#include "base/limits.h"
#include "fleet/question.h"
#include "index/configuration.h"
#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "operations/iot_index.h"
#include "registry/indexing.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using index::Configuration;

constexpr std::string_view things_path = "thingIndexingConfiguration";
constexpr std::string_view groups_path = "thingGroupIndexingConfiguration";

std::string at(std::string_view path, std::string_view name) {
  return (std::string(path) + '.').append(name);
}

Result<std::vector<index::CustomField>, api::ApiError> custom_fields(const json::Value& input,
                                                                     std::string_view path) {
  std::vector<index::CustomField> fields;
  const json::Value* list = member(input, at(path, "customFields"));
  if (list == nullptr) return fields;
  for (const json::Value& each : list->as_array()) {
    index::CustomField field{text_copy(each, "name"), text_copy(each, "type")};
    if (field.name.empty() || field.type.empty())
      return refuse("A custom field must have a name and a type.");
    if (std::ranges::find(fields, field.name, &index::CustomField::name) != fields.end())
      return refuse("The custom field " + field.name + " is given twice.");
    fields.push_back(std::move(field));
  }
  if (fields.size() > limits::custom_fields_max) {
    return refuse("There can be at most " + std::to_string(limits::custom_fields_max) +
                  " custom fields.");
  }
  return fields;
}

Result<void, api::ApiError> read_shadow_names(const json::Value& input, Configuration& made) {
  made.shadow_names = texts(input, at(things_path, "filter.namedShadowNames"));
  if (made.shadow_names.size() > limits::indexed_shadow_names_max) {
    return refuse("At most " + std::to_string(limits::indexed_shadow_names_max) +
                  " named shadows can be indexed.");
  }
  std::ranges::sort(made.shadow_names);
  const auto rest = std::ranges::unique(made.shadow_names);
  made.shadow_names.erase(rest.begin(), rest.end());
  made.named_shadows = text(input, at(things_path, "namedShadowIndexingMode")) == "ON";
  if (!made.shadow_names.empty() && !made.named_shadows)
    return refuse("filter.namedShadowNames needs namedShadowIndexingMode ON.");
  return {};
}

// What is not given is off, as AWS has it: the configuration of an index is replaced as a whole.
Result<void, api::ApiError> read_things(const json::Value& input, Configuration& made) {
  const std::string_view mode = text(input, at(things_path, "thingIndexingMode"));
  made.registry = mode != "OFF";
  made.shadow = mode == "REGISTRY_AND_SHADOW";
  made.connectivity = text(input, at(things_path, "thingConnectivityIndexingMode")) == "STATUS";
  if (text(input, at(things_path, "deviceDefenderIndexingMode")) == "VIOLATIONS") {
    return refuse(
        "deviceDefenderIndexingMode VIOLATIONS is not supported: there is no Device Defender "
        "here.");
  }
  const json::Value* places = member(input, at(things_path, "filter.geoLocations"));
  if (places != nullptr && !places->as_array().empty())
    return refuse("filter.geoLocations is not supported: queries about distances are not.");
  if (auto read = read_shadow_names(input, made); !read) return read;
  auto fields = custom_fields(input, things_path);
  if (!fields) return fields.error();
  made.thing_fields = *std::move(fields);
  if (!made.registry && (made.connectivity || made.named_shadows)) {
    return refuse(
        "thingConnectivityIndexingMode and namedShadowIndexingMode need a thingIndexingMode that "
        "is "
        "not OFF.");
  }
  for (const index::CustomField& field : made.thing_fields) {
    if (auto checked = fleet::check_field(made, field.name); !checked)
      return refuse("Custom field: " + checked.error().message);
  }
  return {};
}

Outcome update_indexing_configuration(Context& context, const json::Value& input, json::Value&) {
  auto before = index::load_configuration(context.world.registry.store);
  if (!before) return to_error(registry::Failure(before.error()));
  Configuration made = *std::move(before);
  if (member(input, things_path) != nullptr) {
    Configuration things;
    if (auto read = read_things(input, things); !read) return read.error();
    things.groups = made.groups;
    things.group_fields = std::move(made.group_fields);
    made = std::move(things);
  }
  if (member(input, groups_path) != nullptr) {
    made.groups = text(input, at(groups_path, "thingGroupIndexingMode")) == "ON";
    auto fields = custom_fields(input, groups_path);
    if (!fields) return fields.error();
    made.group_fields = *std::move(fields);
  }
  return answer_written(registry::configure_index(context.world.registry, std::move(made)));
}

bj::array fields_to_json(const std::vector<index::CustomField>& fields) {
  bj::array list;
  for (const index::CustomField& field : fields)
    list.push_back({{"name", field.name}, {"type", field.type}});
  return list;
}

bj::value things_to_json(const Configuration& is) {
  std::vector<index::CustomField> managed;
  if (is.registry) {
    managed = {{"thingId", "String"},
               {"thingName", "String"},
               {"thingTypeName", "String"},
               {"thingGroupNames", "String"},
               {"registry.version", "Number"}};
  }
  if (is.shadow) {
    managed.push_back({"shadow.version", "Number"});
    managed.push_back({"shadow.hasDelta", "Boolean"});
  }
  for (const std::string& name : is.shadow_names) {
    managed.push_back({index::shadow_prefix(name) + "version", "Number"});
    managed.push_back({index::shadow_prefix(name) + "hasDelta", "Boolean"});
  }
  if (is.connectivity) {
    managed.push_back({"connectivity.connected", "Boolean"});
    managed.push_back({"connectivity.timestamp", "Number"});
    managed.push_back({"connectivity.disconnectReason", "String"});
  }
  bj::object made{
      {"thingIndexingMode", is.shadow     ? "REGISTRY_AND_SHADOW"
                            : is.registry ? "REGISTRY"
                                          : "OFF"},
      {"thingConnectivityIndexingMode", is.connectivity ? "STATUS" : "OFF"},
      {"deviceDefenderIndexingMode", "OFF"},
      {"namedShadowIndexingMode", is.named_shadows ? "ON" : "OFF"},
      {"managedFields", fields_to_json(managed)},
      {"customFields", fields_to_json(is.thing_fields)},
  };
  if (!is.shadow_names.empty())
    made["filter"] = bj::object{{"namedShadowNames", bj::value_from(is.shadow_names)}};
  return made;
}

bj::value groups_to_json(const Configuration& is) {
  std::vector<index::CustomField> managed;
  if (is.groups) {
    managed = {{"thingGroupId", "String"},
               {"thingGroupName", "String"},
               {"thingGroupDescription", "String"},
               {"parentGroupNames", "String"}};
  }
  return {{"thingGroupIndexingMode", is.groups ? "ON" : "OFF"},
          {"managedFields", fields_to_json(managed)},
          {"customFields", fields_to_json(is.group_fields)}};
}

Outcome get_indexing_configuration(Context& context, const json::Value&, json::Value& output) {
  const auto is = index::load_configuration(context.world.registry.store);
  if (!is) return to_error(registry::Failure(is.error()));
  output = {{things_path, things_to_json(*is)}, {groups_path, groups_to_json(*is)}};
  return Done{};
}

Outcome list_indices(Context& context, const json::Value& input, json::Value& output) {
  const auto is = index::load_configuration(context.world.registry.store);
  if (!is) return to_error(registry::Failure(is.error()));
  std::vector<std::string> names;
  if (is->groups) names.emplace_back(fleet::groups_index);
  if (is->registry) names.emplace_back(fleet::things_index);
  registry::PageRequest request = page_of(input, by_token);
  request.limit = std::min(request.limit, static_cast<int>(limits::page_entries_max));
  return answer_page(registry::cut(std::move(names), "indices", request), output, "indexNames",
                     by_token);
}

std::string schema_of(const Configuration& is, std::string_view name) {
  if (name == fleet::groups_index) return "REGISTRY";
  std::string schema = is.shadow || is.named_shadows ? "REGISTRY_AND_SHADOW" : "REGISTRY";
  if (is.connectivity) schema += "_AND_CONNECTIVITY_STATUS";
  return schema;
}

Outcome describe_index(Context& context, const json::Value& input, json::Value& output) {
  const auto is = index::load_configuration(context.world.registry.store);
  if (!is) return to_error(registry::Failure(is.error()));
  const auto name = index_name(input);
  if (!name) return name.error();
  const bool things = *name == fleet::things_index;
  if (!(things ? is->registry : is->groups))
    return to_error(registry::not_found("Index " + *name + " does not exist."));
  output = {{"indexName", *name},
            {"indexStatus", things && is->building ? "BUILDING" : "ACTIVE"},
            {"schema", schema_of(*is, *name)}};
  return Done{};
}

constexpr Entry entries[] = {
    {"UpdateIndexingConfiguration", update_indexing_configuration},
    {"GetIndexingConfiguration", get_indexing_configuration},
    {"ListIndices", list_indices},
    {"DescribeIndex", describe_index},
};

}  // namespace

Entries iot_indexing() { return entries; }

}  // namespace gnomon::operations
