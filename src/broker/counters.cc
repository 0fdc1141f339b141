#include "broker/counters.h"

namespace gnomon::broker {

namespace {
using metrics::Kind;
constexpr const char* refused = "CONNECTs refused, by reason.";
constexpr const char* ended = "Connections that ended, by reason.";
constexpr const char* dropped = "Deliveries to one receiver that were dropped, by reason.";
constexpr const char* publish_refused = "PUBLISHes refused, by reason.";
constexpr const char* filter_refused = "Filters refused in SUBSCRIBE, by reason.";
constexpr const char* queue_refused =
    "Messages that a session's queue did not take, or that were not retained, by reason.";
constexpr const char* pauses =
    "Times a publisher had to wait, by reason: another shard was behind; it had sent more bytes "
    "than "
    "its rate; its acknowledgements were withheld for memory; too many of its PUBLISHes were open; "
    "a turn "
    "was full, and it publishes more than its share.";
constexpr const char* pressure = "Times a shard came under pressure, by level.";
}  // namespace

const std::array<metrics::Row, counters> counter_rows{{
    {"gnomon_connections", Kind::gauge, "", "MQTT connections that are established."},
    {"gnomon_subscriptions", Kind::gauge, "", "Subscriptions of connected clients."},
    {"gnomon_filters", Kind::gauge, "", "Distinct topic filters, added up over shards."},
    {"gnomon_sessions", Kind::gauge, "", "Persistent sessions, connected or not."},
    {"gnomon_sessions_away", Kind::gauge, "", "Persistent sessions whose client is not connected."},
    {"gnomon_queued_messages", Kind::gauge, "",
     "Messages with QoS 1 or 2 that persistent sessions or share groups have not acknowledged."},
    {"gnomon_queue_ready_bytes", Kind::gauge, "",
     "What of them is held in memory too, to be sent next."},
    {"gnomon_share_members", Kind::gauge, "", "Members of share groups, connected or not."},
    {"gnomon_held_bytes", Kind::gauge, "",
     "Messages on their way to clients that have not taken them."},
    {"gnomon_shards_under_pressure", Kind::gauge, "",
     "Shards that hold more than their watermark."},
    {"gnomon_connects_total", Kind::counter, "", "CONNECTs accepted."},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"identity\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"policy\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"protocol\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"unsupported\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"limit\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"busy\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"overload\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"quota\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"starting\"", refused},
    {"gnomon_connects_refused_total", Kind::counter, "reason=\"timeout\"", refused},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"client\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"lost\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"keep_alive\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"taken_over\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"protocol\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"refused\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"slow\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"shutdown\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"administrative\"", ended},
    {"gnomon_disconnects_total", Kind::counter, "reason=\"policy\"", ended},
    {"gnomon_messages_received_total", Kind::counter, "qos=\"0\"", "PUBLISHes taken from clients."},
    {"gnomon_messages_received_total", Kind::counter, "qos=\"1\"", "PUBLISHes taken from clients."},
    {"gnomon_messages_received_total", Kind::counter, "qos=\"2\"", "PUBLISHes taken from clients."},
    {"gnomon_messages_sent_total", Kind::counter, "qos=\"0\"", "PUBLISHes sent to clients."},
    {"gnomon_messages_sent_total", Kind::counter, "qos=\"1\"", "PUBLISHes sent to clients."},
    {"gnomon_messages_sent_total", Kind::counter, "qos=\"2\"", "PUBLISHes sent to clients."},
    {"gnomon_messages_resent_total", Kind::counter, "",
     "Messages with QoS 1 sent again while the connection lasts."},
    {"gnomon_messages_mailed_total", Kind::counter, "",
     "Messages handed from one shard to another, once per shard that wants them."},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"slow_subscriber\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"queue_full\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"too_large\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"expired\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"rate\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"policy\"", dropped},
    {"gnomon_messages_dropped_total", Kind::counter, "reason=\"overload\"", dropped},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"qos\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"retain\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"reserved_topic\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"topic\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"quota\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"rate\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"size\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"policy\"", publish_refused},
    {"gnomon_publishes_refused_total", Kind::counter, "reason=\"overload\"", publish_refused},
    {"gnomon_subscriptions_refused_total", Kind::counter, "reason=\"filter\"", filter_refused},
    {"gnomon_subscriptions_refused_total", Kind::counter, "reason=\"unsupported\"", filter_refused},
    {"gnomon_subscriptions_refused_total", Kind::counter, "reason=\"quota\"", filter_refused},
    {"gnomon_subscriptions_refused_total", Kind::counter, "reason=\"policy\"", filter_refused},
    {"gnomon_rechecks_total", Kind::counter, "",
     "Times a connection's identity was looked at again, since something about it had changed."},
    {"gnomon_wills_published_total", Kind::counter, "", "Wills published."},
    {"gnomon_presence_events_total", Kind::counter, "",
     "Life-cycle events published: of connections, failed CONNECTs and subscriptions."},
    {"gnomon_sessions_resumed_total", Kind::counter, "", "CONNECTs that found their session."},
    {"gnomon_sessions_expired_total", Kind::counter, "", "Persistent sessions that expired."},
    {"gnomon_queue_refused_total", Kind::counter, "reason=\"full\"", queue_refused},
    {"gnomon_queue_refused_total", Kind::counter, "reason=\"disk\"", queue_refused},
    {"gnomon_shared_returned_total", Kind::counter, "",
     "Messages that went back to their share group because the member that had them went."},
    {"gnomon_duplicates_total", Kind::counter, "", "QoS 2 PUBLISHes that were taken before."},
    {"gnomon_retained_stored_total", Kind::counter, "", "Retained messages set or replaced."},
    {"gnomon_retained_sent_total", Kind::counter, "",
     "Retained messages sent to new subscriptions."},
    {"gnomon_publisher_pauses_total", Kind::counter, "reason=\"shard_behind\"", pauses},
    {"gnomon_publisher_pauses_total", Kind::counter, "reason=\"rate\"", pauses},
    {"gnomon_publisher_pauses_total", Kind::counter, "reason=\"overload\"", pauses},
    {"gnomon_publisher_pauses_total", Kind::counter, "reason=\"unacknowledged\"", pauses},
    {"gnomon_publisher_pauses_total", Kind::counter, "reason=\"turn\"", pauses},
    {"gnomon_pressure_total", Kind::counter, "level=\"slow\"", pressure},
    {"gnomon_pressure_total", Kind::counter, "level=\"refuse\"", pressure},
    {"gnomon_loop_turns_total", Kind::counter, "", "Turns of the event loops."},
    {"gnomon_loop_reads_total", Kind::counter, "", "Receive calls."},
    {"gnomon_loop_writes_total", Kind::counter, "", "Send calls."},
    {"gnomon_received_bytes_total", Kind::counter, "", "Bytes received."},
    {"gnomon_sent_bytes_total", Kind::counter, "", "Bytes sent."},
    {"gnomon_short_writes_total", Kind::counter, "", "Sends that a peer did not take whole."},
    {"gnomon_loop_wakes_total", Kind::counter, "", "Times a sleeping loop was woken by mail."},
}};

}  // namespace gnomon::broker
