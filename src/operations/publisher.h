// Publisher: the broker, as operations see it. An interface for the server to plug in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gnomon::operations {

// What a call publishes (AWS IoT: "Publish" of the data plane). A value.
struct Publication {
  std::string topic, payload;
  std::uint8_t qos = 0;  // 0 or 1
  bool retain = false;
  std::string principal, address;
  // Properties of MQTT 5 §3.3.2.3.
  std::optional<bool> utf8;  // the payload format indicator
  std::optional<std::string> content_type, response_topic, correlation_data;
  std::vector<std::pair<std::string, std::string>> user_properties;
  std::optional<std::uint32_t> expiry_seconds;
};

// Threads: any.
class Publisher {
 public:
  virtual ~Publisher() = default;
  // `told` is called once, on any thread, also before this returns: with QoS 1 when all who must
  // have it durably have it. Errors: invalid (the topic or a property cannot be), exhausted (a
  // queue or the disk is full), unavailable (overload).
  using Told = std::function<void(Result<void>)>;
  virtual void publish(Publication publication, Told told) = 0;
};

}  // namespace gnomon::operations
