// Trace: the packets of one client id, as they come and go, for an administrator who watches.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "mqtt/connection.h"

namespace gnomon::broker {

// "PUBLISH lamp/1 QoS 1 id 7, 2 bytes". Payloads are not shown, long names are cut.
[[nodiscard]] std::string describe(mqtt::Event event, const mqtt::Incoming& incoming);
// The same of a packet to a client, as it was encoded. `size`: its bytes, which may be fewer than
// those given.
[[nodiscard]] std::string describe(ByteView packet, mqtt::Version version, std::size_t& size);

struct TracedPacket {
  WallTime at;
  bool received = false;  // by the server
  std::string what;
};

// Trace: what was noted and not taken yet, the oldest dropped beyond limits::trace_packets_max.
// Owner: the shards' traces, and the connections that are watched; one shard each.
class Trace {
 public:
  void add(WallTime at, bool received, std::string what);
  // What was noted since the last time; adds how many were dropped.
  std::vector<TracedPacket> take(std::uint64_t& dropped);
  // Nobody watches any more.
  void close() { closed_ = true; }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  std::deque<TracedPacket> packets_;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace gnomon::broker
