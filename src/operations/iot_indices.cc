// SearchIndex, GetStatistics, GetCardinality, GetPercentiles, GetBucketsAggregation,
// GetThingConnectivityData.
#include <boost/json.hpp>

#include "base/limits.h"
#include "fleet/aggregate.h"
#include "fleet/question.h"
#include "fleet/search.h"
#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "operations/iot_index.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

bj::value to_json(const fleet::FoundThing& found) {
  bj::value connectivity;
  if (found.connectivity) {
    connectivity = {{"connected", found.connectivity->connected},
                    {"disconnectReason", or_null(found.connectivity->reason)}};
    if (found.connectivity->at.ms != 0) set(connectivity, "timestamp", found.connectivity->at.ms);
  }
  bj::value groups;
  if (!found.thing.groups.empty()) groups = bj::value_from(found.thing.groups);
  bj::value attributes;
  if (!found.thing.attributes.empty()) attributes = bj::value_from(found.thing.attributes);
  return {{"thingName", found.name},
          {"thingId", found.thing.thing_id},
          {"thingTypeName", or_null(found.thing.thing_type_name)},
          {"thingGroupNames", std::move(groups)},
          {"attributes", std::move(attributes)},
          {"shadow", or_null(found.shadow)},
          {"connectivity", std::move(connectivity)}};
}

bj::value to_json(const registry::IndexedGroup& group) {
  bj::value parents;
  if (!group.parents.empty()) parents = bj::value_from(group.parents);
  bj::value attributes;
  if (!group.attributes.empty()) attributes = bj::value_from(group.attributes);
  return {{"thingGroupName", group.name},
          {"thingGroupId", group.group_id},
          {"thingGroupDescription", or_null(group.description)},
          {"attributes", std::move(attributes)},
          {"parentGroupNames", std::move(parents)}};
}

Outcome search_index(Context& context, const json::Value& input, json::Value& output) {
  if (auto bad = check_query_version(input)) return *bad;
  const auto name = index_name(input);
  if (!name) return name.error();
  const fleet::Search search{text_copy(input, "queryString"),
                             static_cast<std::size_t>(number(input, "maxResults").value_or(0)),
                             text_copy(input, "nextToken")};
  if (*name == fleet::things_index) {
    return answer_page(fleet::search_things(context.world.registry, search), output, "things",
                       by_token, [](const fleet::FoundThing& found) { return to_json(found); });
  }
  return answer_page(fleet::search_groups(context.world.registry, search), output, "thingGroups",
                     by_token, [](const registry::IndexedGroup& found) { return to_json(found); });
}

// What all aggregations are asked. Errors: an index that there is no aggregation of.
Result<fleet::Aggregate, api::ApiError> aggregate_of(const json::Value& input) {
  if (auto bad = check_query_version(input)) return *bad;
  const auto name = index_name(input);
  if (!name) return name.error();
  if (*name != fleet::things_index) return refuse("Aggregations are of the index AWS_Things only.");
  fleet::Aggregate aggregate{.query = text_copy(input, "queryString")};
  if (auto field = maybe_text(input, "aggregationField")) aggregate.field = *std::move(field);
  return aggregate;
}

Outcome get_statistics(Context& context, const json::Value& input, json::Value& output) {
  const auto aggregate = aggregate_of(input);
  if (!aggregate) return aggregate.error();
  return answer_read(fleet::statistics(context.world.registry, *aggregate),
                     [&](const fleet::Statistics& made) {
                       bj::object all{{"count", made.count}};
                       if (made.numbers) {
                         all["average"] = made.numbers->average;
                         all["sum"] = made.numbers->sum;
                         all["minimum"] = made.numbers->minimum;
                         all["maximum"] = made.numbers->maximum;
                         all["sumOfSquares"] = made.numbers->sum_of_squares;
                         all["variance"] = made.numbers->variance;
                         all["stdDeviation"] = made.numbers->std_deviation;
                       }
                       set(output, "statistics", std::move(all));
                     });
}

Outcome get_cardinality(Context& context, const json::Value& input, json::Value& output) {
  const auto aggregate = aggregate_of(input);
  if (!aggregate) return aggregate.error();
  return answer_read(fleet::cardinality(context.world.registry, *aggregate),
                     [&](std::uint64_t count) { set(output, "cardinality", count); });
}

Outcome get_percentiles(Context& context, const json::Value& input, json::Value& output) {
  const auto aggregate = aggregate_of(input);
  if (!aggregate) return aggregate.error();
  std::vector<double> percents;
  if (const json::Value* list = member(input, "percents"))
    for (const json::Value& each : list->as_array()) percents.push_back(each.to_number<double>());
  return answer_read(fleet::percentiles(context.world.registry, *aggregate, std::move(percents)),
                     [&](const fleet::Percentiles& made) {
                       json::Value& list = begin_list(output, "percentiles");
                       for (const auto& [percent, value] : made)
                         append(list, {{"percent", percent}, {"value", value}});
                     });
}

Outcome get_buckets_aggregation(Context& context, const json::Value& input, json::Value& output) {
  const auto aggregate = aggregate_of(input);
  if (!aggregate) return aggregate.error();
  if (member(input, "bucketsAggregationType.termsAggregation") == nullptr)
    return refuse("bucketsAggregationType.termsAggregation must be given.");
  const auto most = number(input, "bucketsAggregationType.termsAggregation.maxBuckets");
  return answer_read(
      fleet::buckets(context.world.registry, *aggregate,
                     most ? static_cast<std::size_t>(*most) : limits::buckets_default),
      [&](const fleet::Buckets& made) {
        set(output, "totalCount", made.total);
        json::Value& list = begin_list(output, "buckets");
        for (const auto& bucket : made.buckets)
          append(list, {{"keyValue", bucket.value}, {"count", bucket.count}});
      });
}

Outcome get_thing_connectivity_data(Context& context, const json::Value& input,
                                    json::Value& output) {
  const std::string name = text_copy(input, "thingName");
  return answer_read(fleet::connectivity_of(context.world.registry, name),
                     [&](const index::Connectivity& is) {
                       const bool known = is.at.ms != 0;
                       output = {{"thingName", name}, {"connected", is.connected}};
                       set(output, "timestamp", or_null(is.at));
                       if (known && !is.connected)
                         set(output, "disconnectReason", text_value(is.reason));
                       if (is.connected) set(output, "disconnectReason", "NONE");
                     });
}

constexpr Entry entries[] = {
    {"SearchIndex", search_index},
    {"GetStatistics", get_statistics},
    {"GetCardinality", get_cardinality},
    {"GetPercentiles", get_percentiles},
    {"GetBucketsAggregation", get_buckets_aggregation},
    {"GetThingConnectivityData", get_thing_connectivity_data},
};

}  // namespace

std::optional<api::ApiError> check_query_version(const json::Value& input) {
  const std::string_view version = text(input, "queryVersion");
  if (version.empty() || version == query_version) return std::nullopt;
  return refuse("Unknown queryVersion " + std::string(version) + " (expected " +
                std::string(query_version) + ").");
}

Result<std::string, api::ApiError> index_name(const json::Value& input) {
  std::string name = text_copy(input, "indexName");
  if (name.empty()) return std::string(fleet::things_index);
  if (name == fleet::things_index || name == fleet::groups_index) return name;
  return to_error(registry::not_found("Index " + name + " does not exist."));
}

Entries iot_indices() { return entries; }

}  // namespace gnomon::operations
