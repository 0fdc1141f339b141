// Session: what a client id may still receive.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "broker/mail.h"
#include "mqtt/window.h"
#include "topic/index.h"

namespace gnomon::broker {

// A QoS 1 or 2 message that waits for room in the receiver's window.
struct Queued {
  Buffer message;  // encoded
  std::vector<std::uint32_t> identifiers;
  std::uint8_t qos = 1;
  bool retain = false;  // as it will be sent
  ShareRef share{};     // the group that gave it, if one did
};

// Session: the subscriptions of a client, what is in flight to it and what waits.
// A clean one ends with its connection, so nothing is kept to be sent again: a packet in flight is
// only its id. Of a persistent one (`kept`) only the subscriptions that are not shared are here,
// for what is published with QoS 0; the rest is at its home (keeper.h). Owner: its connection.
// Empty members hold no memory.
struct Session {
  struct Queue {
    std::deque<Queued> messages;
    std::size_t bytes = 0;
    std::uint32_t sent = 0;  // how many have left it
  };
  // The share groups that it is a member of, and what they gave it.
  struct Shares {
    std::vector<std::string> filters;                    // whole
    std::unordered_map<std::uint16_t, ShareRef> flight;  // by packet id
  };
  std::vector<topic::SubscriptionIndex::Filter*> filters;
  std::unique_ptr<Shares> shares;  // null: none
  mqtt::SendWindow window;
  std::unique_ptr<Queue> queue;                 // null: empty
  std::unique_ptr<mqtt::ReceivedIds> received;  // QoS 2 PUBLISHes from the client; null: none
  std::unique_ptr<SessionRef> kept;             // null: a clean session
};

}  // namespace gnomon::broker
