// TagResource, UntagResource, ListTagsForResource.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/tags.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

Outcome tag_resource(Context& context, const json::Value& input, json::Value&) {
  const auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::tag_resource(context.world.registry, text(input, "resourceArn"), *tags));
}

Outcome untag_resource(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::untag_resource(context.world.registry, text(input, "resourceArn"),
                                                 texts(input, "tagKeys")));
}

// A resource has at most 50, so there is one page.
Outcome list_tags_for_resource(Context& context, const json::Value& input, json::Value& output) {
  if (!text(input, "nextToken").empty()) {
    return refuse("Invalid nextToken: there is no further page.");
  }
  return answer_read(
      registry::list_tags_for_resource(context.world.registry, text(input, "resourceArn")),
      [&](const registry::Tags& tags) {
        json::Value& list = begin_list(output, "tags");
        for (const auto& [key, value] : tags) {
          append(list, bj::object{{"Key", key}, {"Value", value}});
        }
      });
}

constexpr Entry entries[] = {
    {"TagResource", tag_resource},
    {"UntagResource", untag_resource},
    {"ListTagsForResource", list_tags_for_resource},
};

}  // namespace

Entries iot_tags() { return entries; }

}  // namespace gnomon::operations
