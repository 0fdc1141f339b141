// Publisher: the broker, as operations see it: what is published, and what is retained. An
// interface for the server to plug in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
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

// Why it was not.
struct Unpublished {
  enum class Why : std::uint8_t {
    invalid,    // the topic or a property cannot be
    too_large,  // the payload
    busy,       // a queue or the disk is full, a rate is reached, the server holds too much
  };
  Why why = Why::invalid;
  std::string message;
};

// A message that is retained.
struct RetainedMessage {
  std::string payload;
  std::uint8_t qos = 0;
  WallTime modified{};
  std::vector<std::pair<std::string, std::string>> user_properties;
};
struct RetainedTopic {
  std::string topic;
  std::size_t payload_bytes = 0;
  std::uint8_t qos = 0;
  WallTime modified{};
};
// A page of them may be short, even empty, and not be the last.
struct RetainedTopics {
  std::vector<RetainedTopic> topics;
  std::string after;  // where the next page begins; empty: there is none
};

// Threads: any.
class Publisher {
 public:
  virtual ~Publisher() = default;
  // `told` is called once, on any thread, also before this returns: with QoS 1 when all who must
  // have it durably have it. A request to a service (`$aws/things/+/shadow/update`) goes to it as
  // one of MQTT does.
  using Told = std::function<void(Result<void, Unpublished>)>;
  virtual void publish(Publication publication, Told told) = 0;

  // What is retained under a topic; nullopt: nothing. Reads the store. Errors: the store's.
  virtual Result<std::optional<RetainedMessage>> retained(std::string_view topic) const = 0;
  // Topics under which something is retained, at most `most`. `after`: what the page before has
  // told, any text; empty: from the first on. Reads the store. Errors: the store's.
  virtual Result<RetainedTopics> list_retained(std::string_view after, std::size_t most) const = 0;
};

}  // namespace gnomon::operations
