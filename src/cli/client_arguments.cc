#include "cli/client_arguments.h"

#include <array>
#include <charconv>
#include <unistd.h>
#include <utility>

#include "cli/url.h"
#include "runtime/network.h"
#include "topic/topic.h"

namespace gnomon::cli {

namespace {

using mqtt::PropertyId;

std::string read_version(const std::string& text, std::optional<mqtt::Version>& version) {
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

std::string read_expiry(const std::string& text, std::optional<std::uint32_t>& expiry) {
  if (text == "-1" || text == "∞") {
    expiry = UINT32_MAX;
    return "";
  }
  std::uint32_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || stopped != end) {
    return "must be a whole number of seconds, or -1: it does not expire";
  }
  expiry = seconds;
  return "";
}

}  // namespace

void ClientArguments::declare(Arguments& arguments) {
  arguments.group("Connection");
  arguments.text("-h,--host", "HOST", "The broker (default 127.0.0.1)", host);
  arguments.number("-p,--port", "PORT",
                   "Its port (default 1883, with TLS 8883; over WebSocket 80 and 443)", port, 1,
                   65'535);
  arguments.option(
      "-L,--url", "URL",
      "All in one: mqtt[s]://[user[:password]@]host[:port]/topic, percent-encoded; or "
      "ws[s]://host[:port]/path for WebSocket (default /mqtt), where -t says the topic",
      [this](const std::string& text) { return take_url(text); });
  arguments.option("-V,--protocol-version", "31|311|5",
                   "MQTT version (default 311; 5 with -D or -x)",
                   [this](const std::string& text) { return read_version(text, version); });
  arguments.text("-i,--id", "ID", "Client id (default: the broker gives one)", client_id);
  arguments.text("-I,--id-prefix", "PREFIX", "Client id: this and the process id", id_prefix);
  arguments.number("-k,--keepalive", "SECONDS", "Keep-alive (default 60; 0: none)", keep_alive, 0,
                   65'535);
  arguments.flag("-c,--disable-clean-session", keep_session,
                 "Go on with the session of this client id, and keep it (needs -i or -I)");
  arguments.option("-x,--session-expiry-interval", "SECONDS",
                   "How long the session is kept; -1: it does not expire (MQTT 5; default with -c)",
                   [this](const std::string& text) { return read_expiry(text, session_expiry); });
  arguments.text("-u,--username", "NAME", "User name", username);
  arguments.text("-P,--pw", "PASSWORD", "Password", password);
  arguments.words("-D,--property", "PACKET NAME VALUE",
                  "A property of CONNECT, PUBLISH, …: connect receive-maximum 10, publish "
                  "user-property KEY VALUE (MQTT 5); may be given several times",
                  [this](std::span<const std::string> following, std::string& wrong) {
                    return properties.take(following, wrong);
                  });
  arguments.flag("--ws", use_websocket_, "Over WebSocket, at the path /mqtt");
  arguments.text("--ws-path", "PATH", "Over WebSocket, at this path", websocket);
  arguments.text("--will-topic", "TOPIC", "Leave a will on this topic", will_topic);
  arguments.text("--will-payload", "TEXT", "What the will says", will_payload);
  arguments.number("--will-qos", "QOS", "QoS of the will (default 0)", will_qos, 0, 2);
  arguments.flag("--will-retain", will_retain, "Retain the will");
  tls.declare(arguments);
  arguments.group("What is told");
  arguments.flag("-d,--debug", debug, "Tell on standard error what is sent and received");
  arguments.flag("--quiet", quiet, "Do not tell errors; the exit code does");
}

std::string ClientArguments::take_url(const std::string& text) {
  auto url = parse_broker_url(text);
  if (!url) return url.error().message;
  host = url->host;
  if (url->port) port = *url->port;
  if (url->username) username = url->username;
  if (url->password) password = url->password;
  if (!url->topic.empty()) url_topic = url->topic;
  if (url->websocket()) use_websocket_ = true;
  if (!url->path.empty()) websocket = url->path;
  url_tls_ = url->tls();
  return "";
}

// Fills in what the options leave open.
std::string ClientArguments::settle_transport() {
  if (const std::string wrong = tls.wrong(); !wrong.empty()) return wrong;
  if (url_tls_ == false && tls.given()) {
    return "the URL says no TLS, and the options of TLS need it: mqtts:// or wss://";
  }
  if (use_websocket_ && !websocket) websocket = "/mqtt";
  if (websocket && !websocket->starts_with('/')) {
    return "--ws-path \"" + *websocket + "\": must begin with /";
  }
  // As mosquitto_pub has it, port 8883 means TLS.
  use_tls_ = url_tls_.value_or(tls.given() || port == 8883);
  if (port == 0 && websocket) port = use_tls_ ? 443 : 80;
  if (port == 0) port = use_tls_ ? 8883 : 1883;
  return "";
}

Result<client::Endpoint> ClientArguments::endpoint() const {
  client::Endpoint endpoint;
  const auto address = runtime::resolve({host, port});
  if (!address) return address.error();
  endpoint.address = *address;
  endpoint.name = host;
  endpoint.websocket = websocket;
  if (!use_tls_) return endpoint;
  auto config = tls.config();
  if (!config) return config.error();
  endpoint.tls = std::move(*config);
  return endpoint;
}

std::string ClientArguments::settle(std::span<const Packet> sent) {
  if (const std::string wrong = settle_transport(); !wrong.empty()) return wrong;
  if (!version && (!properties.empty() || session_expiry)) version = mqtt::Version::v5;
  const bool v5 = protocol() == mqtt::Version::v5;
  if (!v5 && !properties.empty()) return "--property needs MQTT 5 (-V 5)";
  if (!v5 && session_expiry) return "--session-expiry-interval needs MQTT 5 (-V 5)";
  std::vector<Packet> all{Packet::connect, Packet::disconnect};
  all.insert(all.end(), sent.begin(), sent.end());
  if (will_topic) all.push_back(Packet::will);
  if (const std::string wrong = properties.unused(all); !wrong.empty()) return wrong;
  if (id_prefix && !client_id.empty()) return "only one of --id and --id-prefix";
  if (id_prefix) client_id = *id_prefix + std::to_string(getpid());
  if (client_id.empty() && (keep_session || session_expiry.value_or(0) == UINT32_MAX)) {
    return "a session that is kept needs --id: who would go on with it?";
  }
  if (session_expiry && properties.number(Packet::connect, PropertyId::session_expiry_interval)) {
    return "only one of -x and -D connect session-expiry-interval";
  }
  if (!will_topic && (will_payload || will_qos > 0 || will_retain)) {
    return "a will needs --will-topic";
  }
  if (will_topic) {
    const topic::Fault fault = topic::check_name(*will_topic);
    if (fault != topic::Fault::none) return "--will-topic: " + std::string(describe(fault));
  }
  if (password && !username && !v5) return "a password without --username needs MQTT 5 (-V 5)";
  // In 3.1 a server cannot give one.
  if (client_id.empty() && protocol() == mqtt::Version::v31) {
    client_id = "gnomon-" + std::to_string(getpid());
  }
  will_raw_ = properties.raw(Packet::will);
  connect_raw_ = properties.raw(Packet::connect);
  disconnect_raw_ = properties.raw(Packet::disconnect);
  return "";
}

mqtt::Settings ClientArguments::settings() const {
  mqtt::Settings settings{.packet_bytes_max = 256 * MiB};
  using enum PropertyId;
  if (const auto bytes = properties.number(Packet::connect, maximum_packet_size)) {
    settings.packet_bytes_max = *bytes;
  }
  if (const auto most = properties.number(Packet::connect, receive_maximum)) {
    settings.receive_maximum = static_cast<std::uint16_t>(*most);
  }
  if (const auto most = properties.number(Packet::connect, topic_alias_maximum)) {
    settings.topic_alias_max = static_cast<std::uint16_t>(*most);
  }
  return settings;
}

mqtt::Connect ClientArguments::connect() const {
  using enum PropertyId;
  mqtt::Connect connect;
  connect.version = protocol();
  connect.client_id = client_id;
  connect.clean_start = !keep_session;
  connect.keep_alive_seconds = keep_alive;
  if (protocol() == mqtt::Version::v5) {
    const auto named = properties.number(Packet::connect, session_expiry_interval);
    const std::uint32_t otherwise = keep_session ? UINT32_MAX : 0;
    connect.session_expiry_seconds = session_expiry.value_or(named.value_or(otherwise));
  }
  if (username) connect.username = *username;
  if (password) connect.password = as_bytes(*password);
  connect.request_response_information =
      properties.number(Packet::connect, request_response_information).value_or(0) == 1;
  connect.request_problem_information =
      properties.number(Packet::connect, request_problem_information).value_or(1) == 1;
  connect.authentication_method = properties.text(Packet::connect, authentication_method);
  if (const auto data = properties.text(Packet::connect, authentication_data)) {
    connect.authentication_data = as_bytes(*data);
  }
  connect.user_properties = connect_raw_.view();
  if (will_topic) {
    mqtt::Will will;
    will.topic = *will_topic;
    if (will_payload) will.payload = as_bytes(*will_payload);
    will.qos = will_qos;
    will.retain = will_retain;
    will.delay_seconds = properties.number(Packet::will, will_delay_interval).value_or(0);
    will.expiry_seconds = properties.number(Packet::will, message_expiry_interval);
    will.properties = will_raw_.view();
    connect.will = will;
  }
  return connect;
}

mqtt::Disconnect ClientArguments::disconnect() const {
  mqtt::Disconnect disconnect;
  disconnect.session_expiry_seconds =
      properties.number(Packet::disconnect, PropertyId::session_expiry_interval);
  disconnect.user_properties = disconnect_raw_.view();
  return disconnect;
}

}  // namespace gnomon::cli
