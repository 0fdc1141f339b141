#include "cli/client_arguments.h"

#include <array>
#include <utility>

namespace gnomon::cli {

namespace {

std::string read_version(const std::string& text, mqtt::Version& version) {
  using enum mqtt::Version;
  constexpr std::array<std::pair<std::string_view, mqtt::Version>, 6> names{{{"31", v31},
                                                                             {"mqttv31", v31},
                                                                             {"311", v311},
                                                                             {"mqttv311", v311},
                                                                             {"5", v5},
                                                                             {"mqttv5", v5}}};
  for (const auto& [name, value] : names) {
    if (name == text) {
      version = value;
      return "";
    }
  }
  return "must be 31, 311 or 5";
}

}  // namespace

void ClientArguments::declare(Arguments& arguments) {
  arguments.group("Connection");
  arguments.text("-h,--host", "HOST", "The broker (default 127.0.0.1)", host);
  arguments.number("-p,--port", "PORT", "Its port (default 1883)", port, 1, 65'535);
  arguments.option("-V,--protocol-version", "31|311|5", "MQTT version (default 311)",
                   [this](const std::string& text) { return read_version(text, version); });
  arguments.text("-i,--id", "ID", "Client id (default: the broker gives one)", client_id);
  arguments.number("-k,--keepalive", "SECONDS", "Keep-alive (default 60; 0: none)", keep_alive, 0,
                   65'535);
  arguments.text("-u,--username", "NAME", "User name", username);
  arguments.text("-P,--pw", "PASSWORD", "Password", password);
  arguments.text("--will-topic", "TOPIC", "Leave a will on this topic", will_topic);
  arguments.text("--will-payload", "TEXT", "What the will says", will_payload);
  arguments.number("--will-qos", "QOS", "QoS of the will (default 0)", will_qos, 0, 2);
  arguments.flag("--will-retain", will_retain, "Retain the will");
}

std::string ClientArguments::contradiction() const {
  if (!will_topic && (will_payload || will_qos > 0 || will_retain)) {
    return "a will needs --will-topic";
  }
  if (password && !username && version != mqtt::Version::v5) {
    return "a password without --username needs MQTT 5 (-V 5)";
  }
  return "";
}

mqtt::Connect ClientArguments::connect() const {
  mqtt::Connect connect;
  connect.version = version;
  connect.client_id = client_id;
  // In 3.1 a server cannot give one.
  if (client_id.empty() && version == mqtt::Version::v31) connect.client_id = process_id;
  connect.keep_alive_seconds = keep_alive;
  if (username) connect.username = *username;
  if (password) connect.password = as_bytes(*password);
  if (will_topic) {
    mqtt::Will will;
    will.topic = *will_topic;
    if (will_payload) will.payload = as_bytes(*will_payload);
    will.qos = will_qos;
    will.retain = will_retain;
    connect.will = will;
  }
  return connect;
}

}  // namespace gnomon::cli
