// Connection: PUBLISHes to topics that begin with `$`, and what is answered (reserved_topics.h).
#include <algorithm>
#include <utility>

#include "broker/connection.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;

// What is wrong with it, or null.
const char* Connection::check_reserved(const mqtt::Publish& publish) const {
  if (const char* what =
          reserved_fault(shard_.reserved_, publish.topic, publish.qos, publish.retain))
    return what;
  return allows_topic(publish.topic) ? nullptr : "the topic is too long or too deep";
}

bool Connection::refuse_reserved(const mqtt::Publish& publish, const char* what) {
  // AWS IoT ends the connection whatever the version.
  if (!shard_.profile_.disconnects_for_reserved)
    return refuse_publish(publish, Reason::not_authorized, what, Count::publish_refused_reserved);
  shard_.counters_.add(Count::publish_refused_reserved);
  return disconnect(Reason::not_authorized, what, Count::disconnects_refused);
}

bool Connection::publish_reserved(const mqtt::Publish& publish) {
  if (permissions_ && !permissions_->may_publish(publish.topic, false)) {
    return refuse_publish(publish, Reason::not_authorized, "its identity may not publish this",
                          Count::publish_refused_policy);
  }
  shard_.counters_.add(publish.qos == 0 ? Count::received_qos0 : Count::received_qos1);
  shard_.reserved_->publish({publish.topic, publish.payload, principal_, client_id_, publish.qos},
                            [&mailbox = shard_.mailbox(), ref = ref_](ReservedAnswer answer) {
                              std::vector<Envelope> letter;
                              letter.push_back({ref.shard, Answered{ref, std::move(answer)}});
                              mailbox.push(letter);
                            });
  if (publish.qos == 0) return true;
  if (!tickets_) return acknowledge(publish.packet_id, publish.qos, Reason::success);
  tickets_->open(publish.packet_id, publish.qos, 0);  // it closes behind those before it
  return true;
}

// What it publishes has gone to whoever has subscribed; now the service hears of it. `ticket`: of a
// PUBLISH with QoS 1.
void Connection::ask_service(const mqtt::Publish& publish, Tickets::Number ticket) {
  ReservedTopics::Taken taken;
  if (publish.qos > 0) {
    taken = shard_.settled_by_mail(ref_, ticket);
  }
  shard_.reserved_->request({publish.topic, publish.payload, principal_, client_id_, publish.qos},
                            std::move(taken));
}

// To this connection alone, whoever else has subscribed. With QoS 1 only if the session is clean: a
// persistent one's packets are counted at its home, and nobody waits for this answer any more once
// the connection has ended.
void Connection::answered(const ReservedAnswer& answer) {
  if (state_ != State::established) return;
  const Route& route = shard_.route(answer.topic);
  const auto& targets = session_.kept ? route.online : route.targets;
  const auto target = std::ranges::find(targets, this, &Target::connection);
  if (target == targets.end()) return;
  message::Message message;
  message.topic = answer.topic;
  message.payload = as_bytes(answer.payload);
  message.qos = session_.kept ? 0 : 1;
  message.received = shard_.loop_.wall_now();
  message.id = shard_.next_message_id_++;
  shard_.encoder_.begin(message, message.received);
  deliver(shard_.encoder_, target->all,
          std::span(route.identifiers).subspan(target->first_identifier, target->all.identifiers),
          target->ruling);
}

}  // namespace gnomon::broker
