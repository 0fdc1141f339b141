// Session: what a client id may still receive.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "mqtt/window.h"
#include "topic/index.h"

namespace gnomon::broker {

// A QoS 1 message that waits for room in the receiver's window.
struct Queued {
  Buffer message;  // encoded
  std::vector<std::uint32_t> identifiers;
  bool retain = false;  // as it will be sent
};

// Session: the subscriptions of a client, what is in flight to it and what waits.
// This one is clean: its home is the shard of its connection, and it ends with it, so nothing is
// kept to be sent again: a packet in flight is only its id.
// Owner: its connection. Empty members hold no memory.
struct Session {
  struct Queue {
    std::deque<Queued> messages;
    std::size_t bytes = 0;
  };
  std::vector<topic::SubscriptionIndex::Filter*> filters;
  mqtt::SendWindow window;
  std::unique_ptr<Queue> queue;  // null: empty
};

}  // namespace gnomon::broker
