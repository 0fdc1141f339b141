// GetRetainedMessage, ListRetainedMessages: what is retained, over HTTP.
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "operations/fields.h"
#include "operations/handlers.h"
#include "operations/publisher.h"
#include "registry/page.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

constexpr std::int64_t page_size = 200;  // where none is asked for; AWS IoT: the most, too
constexpr std::string_view listing = "ListRetainedMessages";

api::ApiError fail(const Context& context, std::string_view name, std::string message) {
  return api::modelled_error(*context.operation.service, name, std::move(message));
}

// As Publish takes them: [{"name":"value"},…].
json::Value write_properties(const std::vector<std::pair<std::string, std::string>>& properties) {
  if (properties.empty()) return nullptr;
  bj::array list;
  for (const auto& [name, value] : properties) list.push_back(bj::object{{name, value}});
  std::string text;
  json::write(text, bj::value(std::move(list)));
  return text_value(text);
}

Outcome get(Context& context, const json::Value& input, json::Value& output) {
  const std::string topic = text_copy(input, "topic");
  auto found = context.world.publisher->retained(topic);
  if (!found) return fail(context, "ServiceUnavailableException", found.error().message);
  if (!*found) {
    return fail(context, "ResourceNotFoundException",
                "No message is retained under the topic '" + topic + "'.");
  }
  const RetainedMessage& message = **found;
  set(output, "topic", text_value(topic));
  set(output, "payload", text_value(message.payload));
  set(output, "qos", std::int64_t{message.qos});
  set(output, "lastModifiedTime", message.modified.ms);
  set(output, "userProperties", write_properties(message.user_properties));
  return Done{};
}

Outcome list(Context& context, const json::Value& input, json::Value& output) {
  const auto limit = static_cast<int>(number(input, "maxResults").value_or(page_size));
  const auto place =
      registry::place_of(std::string(listing), {limit, text_copy(input, "nextToken")});
  if (!place) return fail(context, "InvalidRequestException", place.error().message);
  const auto found =
      context.world.publisher->list_retained(*place, static_cast<std::size_t>(limit));
  if (!found) return fail(context, "ServiceUnavailableException", found.error().message);
  json::Value& topics = begin_list(output, "retainedTopics");
  for (const RetainedTopic& each : found->topics) {
    append(topics, bj::object{{"topic", text_value(each.topic)},
                              {"payloadSize", static_cast<std::int64_t>(each.payload_bytes)},
                              {"qos", std::int64_t{each.qos}},
                              {"lastModifiedTime", each.modified.ms}});
  }
  if (!found->after.empty())
    set(output, "nextToken", text_value(registry::token_of(listing, found->after)));
  return Done{};
}

constexpr Entry entries[] = {{"GetRetainedMessage", get}, {"ListRetainedMessages", list}};

}  // namespace

Entries iot_data_retained() { return entries; }

}  // namespace gnomon::operations
