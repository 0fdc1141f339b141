// The options that pub and sub share, named as users of mosquitto_pub and mosquitto_sub know them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cli/arguments.h"
#include "cli/client_properties.h"
#include "cli/tls_arguments.h"
#include "mqtt/connection.h"
#include "mqtt/packet.h"

namespace gnomon::cli {

struct ClientArguments {
  std::string host = "127.0.0.1", client_id;
  std::uint16_t port = 0, keep_alive = 60;  // port 0 until settle(): that of the transport
  std::optional<std::string> id_prefix;
  std::optional<std::string> url_topic;  // of -L
  std::optional<mqtt::Version> version;  // as given
  std::optional<std::string> username, password, will_topic, will_payload;
  std::uint8_t will_qos = 0;
  bool will_retain = false;
  bool keep_session = false;
  std::optional<std::uint32_t> session_expiry;  // as given; UINT32_MAX: never
  ClientProperties properties;
  TlsArguments tls;
  std::optional<std::string> websocket;  // the path, if it is over WebSocket
  bool debug = false, quiet = false;

  // Declares them. Outlives arguments.read().
  void declare(Arguments& arguments);
  // Brings together what was read, where one option completes another. `sent`: the packets beside
  // CONNECT, DISCONNECT and the will that the command sends. Returns "" or what does not go
  // together.
  [[nodiscard]] std::string settle(std::span<const Packet> sent);

  // After settle().
  [[nodiscard]] mqtt::Version protocol() const { return version.value_or(mqtt::Version::v311); }
  // Where the broker is. Looks up the host, which may block, and reads the files of TLS.
  // Errors: not_found (the host), unavailable and invalid (the files).
  [[nodiscard]] Result<client::Endpoint> endpoint() const;
  // What the broker may do.
  [[nodiscard]] mqtt::Settings settings() const;
  // The CONNECT; its views point into this.
  [[nodiscard]] mqtt::Connect connect() const;
  [[nodiscard]] mqtt::Disconnect disconnect() const;

 private:
  [[nodiscard]] std::string settle_transport();
  bool use_tls_ = false, use_websocket_ = false;
  std::optional<bool> url_tls_;  // what -L says of it
  Buffer will_raw_, connect_raw_, disconnect_raw_;
  std::string take_url(const std::string& text);
};

}  // namespace gnomon::cli
