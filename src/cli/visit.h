// Visits of a device: one connection, what it does there, and what came of it. For rehearsals.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "client/transport.h"

namespace gnomon::cli {

struct Visit {
  client::Endpoint endpoint;
  std::string client_id;
  std::string topic;  // of the message that it publishes with QoS 1 once it is let in
};

// Connects, publishes and disconnects; blocks. Errors: denied (the server refused the connection or
// the message), unavailable (anything else).
Result<void> visit(const Visit& what);

// Connects, asks by a reserved topic and disconnects; blocks. What is asked is published on
// `topic`; returns what comes on TOPIC/accepted. Errors: as visit(); denied also for what comes on
// TOPIC/rejected.
Result<std::string> ask(const Visit& what, const std::string& topic, const std::string& payload);

// The same as visit(), as devices do it: who is refused comes again, for as long as `patience`.
// Errors: the last one.
Result<void> visit_until_welcome(const Visit& what, std::chrono::seconds patience);

}  // namespace gnomon::cli
