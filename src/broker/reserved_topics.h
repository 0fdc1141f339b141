// Reserved topics: those under `$aws/`, at which devices ask services of the server by publishing,
// and are told by it. An interface for those services to plug in; the broker knows none of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace gnomon::broker {

// What clients may do with a topic that begins with `$`, if their policies allow it (AWS IoT:
// "Reserved topics"). Pure.
enum class ReservedUse : std::uint8_t {
  none,       // there is no such topic
  publish,    // and subscribe: what is answered there goes to who has asked
  request,    // the same, but it is a message like others, and so is what is answered
  subscribe,  // only the server publishes
};
[[nodiscard]] ReservedUse reserved_use(std::string_view topic);

// Views: valid during the call.
struct ReservedPublish {
  std::string_view topic;
  ByteView payload;
  std::string_view principal, client_id;  // of the connection
  std::uint8_t qos = 0;
};
struct ReservedAnswer {
  std::string topic, payload;
};

// ReservedTopics: one for a server, asked by all shards at once.
class ReservedTopics {
 public:
  virtual ~ReservedTopics() = default;
  // Whether a service is there for this topic, which is for publishing or for requests.
  [[nodiscard]] virtual bool takes(std::string_view topic) const = 0;
  // What was published to such a topic. `answer` is called once, on any thread, also before this
  // returns, as soon as what it tells of is durable; the connection that has asked gets it, if it
  // is there, has subscribed and may receive it. Never blocks: too many at once are answered, too.
  using Later = std::function<void(ReservedAnswer)>;
  virtual void publish(const ReservedPublish& request, Later answer) = 0;
  // The same of a topic for requests, which the service answers by messages of its own. `taken` is
  // called once, on any thread, also before this returns: with success when what was asked for is
  // done and durable, or rejected by such a message; with a reason ≥ 0x80 when the service has not
  // taken it, and nobody is told anything else. It is empty with QoS 0, of which nothing is
  // acknowledged.
  using Taken = std::function<void(mqtt::Reason)>;
  virtual void request(const ReservedPublish& request, Taken taken) = 0;
};

// Why a message may not be published to `topic`, which begins with `$`, whoever may do what; null:
// it may. `services` null: none is there.
[[nodiscard]] const char* reserved_fault(const ReservedTopics* services, std::string_view topic,
                                         std::uint8_t qos, bool retain);

}  // namespace gnomon::broker
