// The options that pub and sub share, named as users of mosquitto_pub and mosquitto_sub know them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unistd.h>

#include "cli/arguments.h"
#include "mqtt/packet.h"

namespace gnomon::cli {

struct ClientArguments {
  std::string host = "127.0.0.1", client_id;
  std::uint16_t port = 1883, keep_alive = 60;
  mqtt::Version version = mqtt::Version::v311;
  std::optional<std::string> username, password, will_topic, will_payload;
  std::uint8_t will_qos = 0;
  bool will_retain = false;
  std::string process_id = "gnomon-" + std::to_string(getpid());

  // Declares them. Outlives arguments.read().
  void declare(Arguments& arguments);
  // What does not go together; "" if all does.
  [[nodiscard]] std::string contradiction() const;
  // The CONNECT; its views point into this.
  [[nodiscard]] mqtt::Connect connect() const;
};

}  // namespace gnomon::cli
