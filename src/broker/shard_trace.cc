// Watching the packets of a client. While nobody does, it costs a look at an empty map a packet.
#include <utility>

#include "broker/shard.h"

namespace gnomon::broker {

void Shard::trace(const std::string& client_id) {
  traces_.try_emplace(client_id, std::make_shared<Trace>());
}

void Shard::watch(const ConnectionRef& ref) {
  Connection* connection = find(ref);
  if (connection == nullptr || !connection->established()) return;
  const auto found = traces_.find(connection->view().client_id);
  if (found != traces_.end()) connection->watch(found->second);
}

std::vector<TracedPacket> Shard::take_trace(const std::string& client_id, std::uint64_t& dropped) {
  const auto found = traces_.find(client_id);
  return found == traces_.end() ? std::vector<TracedPacket>() : found->second->take(dropped);
}

void Shard::end_trace(const std::string& client_id) {
  const auto found = traces_.find(client_id);
  if (found == traces_.end()) return;
  found->second->close();  // connections drop it when they notice
  traces_.erase(found);
}

// Every packet to it goes the way on which it is noted.
void Connection::watch(std::shared_ptr<Trace> trace) {
  trace_ = std::move(trace);
  plain_ = false;
}

void Connection::trace_received(mqtt::Event event) {
  if (event == mqtt::Event::connect) {
    const auto found = shard_.traces_.find(shard_.incoming_.connect.client_id);
    if (found != shard_.traces_.end()) watch(found->second);
  }
  if (!trace_ || trace_->closed()) return;
  trace_->add(shard_.loop_.wall_now(), true, describe(event, shard_.incoming_));
}

void Connection::trace_sent(ByteView packets) {
  if (trace_->closed()) {
    trace_.reset();
    plain_ = machine_.peer_topic_alias_max() == 0;
    return;
  }
  while (!packets.empty()) {
    std::size_t size = 0;
    std::string what = describe(packets, machine_.version(), size);
    trace_->add(shard_.loop_.wall_now(), false, std::move(what));
    packets = packets.subspan(size);
  }
}

}  // namespace gnomon::broker
