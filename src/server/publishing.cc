#include "server/publishing.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "broker/retained.h"
#include "message/message.h"
#include "mqtt/packet.h"
#include "partition/slots.h"
#include "topic/topic.h"

namespace gnomon::server {

namespace {

using mqtt::PropertyId;

constexpr std::size_t text_bytes_max = 65535;  // MQTT 5 §1.5.4

using operations::Unpublished;

Unpublished invalid(std::string what) { return {Unpublished::Why::invalid, std::move(what)}; }

Result<void, Unpublished> check_text(const char* name, const std::string& text) {
  if (text.size() <= text_bytes_max && is_mqtt_utf8(text)) return {};
  return invalid(std::string(name) + " must be UTF-8 without U+0000, of at most 65,535 bytes");
}

// The properties that travel with it, as MQTT 5 §2.2.2 writes them.
Result<Buffer, Unpublished> properties_of(const operations::Publication& publication,
                                          const broker::Profile& profile) {
  Buffer out;
  if (publication.utf8)
    mqtt::append_property(out, PropertyId::payload_format_indicator, *publication.utf8 ? 1U : 0U);
  if (publication.content_type) {
    if (auto good = check_text("contentType", *publication.content_type); !good)
      return good.error();
    mqtt::append_property(out, PropertyId::content_type, *publication.content_type);
  }
  if (publication.response_topic) {
    if (topic::check_name(*publication.response_topic) != topic::Fault::none)
      return invalid("responseTopic must be a topic without wildcards");
    mqtt::append_property(out, PropertyId::response_topic, *publication.response_topic);
  }
  if (publication.correlation_data) {
    if (publication.correlation_data->size() > text_bytes_max)
      return invalid("correlationData must have at most 65,535 bytes");
    mqtt::append_property(out, PropertyId::correlation_data, *publication.correlation_data);
  }
  if (publication.user_properties.size() >
      static_cast<std::size_t>(profile.mqtt.user_properties_max))
    return invalid("there are too many userProperties");
  for (const auto& [name, value] : publication.user_properties) {
    for (const std::string* text : {&name, &value})
      if (auto good = check_text("userProperties", *text); !good) return good.error();
    mqtt::append_user_property(out, name, value);
  }
  if (out.size() > profile.mqtt.properties_bytes_max)
    return invalid("the properties are too large");
  return out;
}

Result<void, Unpublished> told_of(mqtt::Reason reason) {
  if (reason < mqtt::Reason::unspecified_error) return {};
  return Unpublished{Unpublished::Why::busy,
                     "the message was refused: " + std::string(mqtt::describe(reason))};
}

}  // namespace

Result<void, Unpublished> Publishing::check(const operations::Publication& publication) const {
  const std::string& topic = publication.topic;
  const broker::Profile& profile = setup_.profile;
  if (const auto fault = topic::check_name(topic); fault != topic::Fault::none)
    return invalid("the topic: " + std::string(topic::describe(fault)));
  if (topic.size() > profile.topic_bytes_max ||
      (profile.topic_levels_max < limits::topic_levels_max &&
       std::ranges::count(topic, '/') >= profile.topic_levels_max))
    return invalid("the topic is too long or too deep");
  if (topic.front() == '$') {
    if (const char* what =
            broker::reserved_fault(&setup_.services, topic, publication.qos, publication.retain))
      return invalid(what);
    if (broker::reserved_use(topic) != broker::ReservedUse::request)
      return invalid("this topic is answered to the connection that publishes to it: use MQTT");
  }
  if (publication.payload.size() > profile.payload_bytes_max)
    return Unpublished{Unpublished::Why::too_large, "The payload exceeds the maximum size allowed"};
  return {};
}

void Publishing::publish(operations::Publication publication, Told told) {
  if (auto good = check(publication); !good) return told(good.error());
  auto properties = properties_of(publication, setup_.profile);
  if (!properties) return told(properties.error());
  const auto slot = partition::slot_of(partition::KeyKind::topic, publication.topic);
  const auto at =
      static_cast<std::size_t>(partition::thread_of(slot, static_cast<int>(setup_.shards.size())));
  struct Sent {
    operations::Publication publication;
    Buffer properties;
    Told told;
  };
  auto sent =
      std::make_shared<Sent>(Sent{std::move(publication), std::move(*properties), std::move(told)});
  setup_.loops[at]->post(
      [&loop = *setup_.loops[at], &shard = *setup_.shards[at], &profile = setup_.profile, sent] {
        const operations::Publication& from = sent->publication;
        message::Message message;
        message.topic = from.topic;
        message.payload = as_bytes(from.payload);
        message.properties = sent->properties.view();
        message.qos = from.qos;
        message.retain = from.retain;
        message.origin.kind = message::OriginKind::http;
        message.origin.principal = from.principal;
        if (from.expiry_seconds) {
          message.expires =
              loop.wall_now() + std::chrono::seconds(std::int64_t{std::clamp(
                                    *from.expiry_seconds, profile.message_expiry_min_seconds,
                                    profile.message_expiry_max_seconds)});
        }
        shard.publish(message, [sent](mqtt::Reason reason) { sent->told(told_of(reason)); });
      });
}

Result<std::optional<operations::RetainedMessage>> Publishing::retained(
    std::string_view topic) const {
  const auto encoded = broker::find_retained(setup_.store, topic, setup_.wall.now());
  if (!encoded) return encoded.error();
  std::optional<operations::RetainedMessage> found;
  if (encoded->empty()) return found;
  const auto decoded = message::decode(as_bytes(*encoded));
  if (!decoded) return decoded.error();
  const message::Message& message = decoded->message;
  found.emplace();
  found->payload = as_text(message.payload);
  found->qos = message.qos;
  found->modified = message.received;
  mqtt::PropertyReader properties(message.properties);
  for (mqtt::Property property; properties.next(property);) {
    if (property.id == PropertyId::user_property)
      found->user_properties.emplace_back(property.text, property.text_value);
  }
  return found;
}

Result<operations::RetainedTopics> Publishing::list_retained(std::string_view after,
                                                             std::size_t most) const {
  auto list = broker::list_retained(setup_.store, after, most, setup_.wall.now());
  if (!list) return list.error();
  operations::RetainedTopics topics;
  topics.after = std::move(list->after);
  topics.topics.reserve(list->found.size());
  for (broker::RetainedView& each : list->found) {
    topics.topics.push_back({std::move(each.topic), each.payload_bytes, each.qos, each.received});
  }
  return topics;
}

}  // namespace gnomon::server
