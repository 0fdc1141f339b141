// For tests and fuzzing only: events as text, connections brought to a state, bytes fed in pieces.
#pragma once

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/connection.h"

namespace gnomon::mqtt::testing {

// Text as is; other bytes, spaces and backslashes as \xNN.
inline std::string show(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if (c > ' ' && c < 0x7f && c != '\\') {
      shown += c;
    } else {
      char escaped[5];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
      shown += escaped;
    }
  }
  return shown;
}
inline std::string show(ByteView bytes) { return show(as_text(bytes)); }

inline std::string hex(unsigned value) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%02x", value);
  return text;
}
inline std::string show(Reason reason) { return hex(static_cast<unsigned>(reason)); }

// " name=value" for what is not the default.
inline std::string with(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=" + std::string(value);
}
inline std::string with_if(bool wanted, std::string_view name, std::uint64_t value) {
  return wanted ? with(name, std::to_string(value)) : "";
}
inline std::string with_text(std::string_view name, std::string_view value) {
  return value.empty() ? "" : with(name, show(value));
}
inline std::string flag(bool set, std::string_view name) {
  return set ? " " + std::string(name) : "";
}

// " [03=text 26=name:value]", identifiers in hexadecimal.
inline std::string show_properties(RawProperties properties) {
  std::string shown;
  PropertyReader reader(properties);
  Property property;
  while (reader.next(property)) {
    shown += shown.empty() ? " [" : " ";
    shown += hex(static_cast<unsigned>(property.id)).substr(2) + "=";
    if (property.id == PropertyId::user_property)
      shown += show(property.text) + ":" + show(property.text_value);
    else if (property.text.data() != nullptr)
      shown += show(property.text);
    else
      shown += std::to_string(property.number);
  }
  return shown.empty() ? "" : shown + "]";
}

inline std::string show(const Will& will) {
  std::string shown = " will{" + show(will.topic) + with("payload", show(will.payload));
  shown += with_if(will.qos != 0, "qos", will.qos) + flag(will.retain, "retain");
  shown += with_if(will.delay_seconds != 0, "delay", will.delay_seconds);
  if (will.expiry_seconds) shown += with_if(true, "expiry", *will.expiry_seconds);
  return shown + show_properties(will.properties) + "}";
}

inline std::string show(const Connect& c) {
  std::string shown = "connect level=" + std::to_string(static_cast<int>(c.version));
  shown += with("id", show(c.client_id)) + flag(c.clean_start, "clean");
  shown += with_if(c.keep_alive_seconds != 0, "keep_alive", c.keep_alive_seconds);
  if (c.will) shown += show(*c.will);
  if (c.username) shown += with("username", show(*c.username));
  if (c.password) shown += with("password", show(*c.password));
  shown += with_if(c.session_expiry_seconds != 0, "session_expiry", c.session_expiry_seconds);
  shown += with_if(c.receive_maximum != 65535, "receive_maximum", c.receive_maximum);
  shown += with_if(c.maximum_packet_size != 0, "packet_size", c.maximum_packet_size);
  shown += with_if(c.topic_alias_maximum != 0, "aliases", c.topic_alias_maximum);
  shown += flag(c.request_response_information, "response_information");
  shown += flag(!c.request_problem_information, "no_problems");
  if (c.authentication_method) shown += with("method", show(*c.authentication_method));
  shown += with_text("data", as_text(c.authentication_data));
  return shown + show_properties(c.user_properties);
}

inline std::string show(const Connack& c) {
  std::string shown = "connack " + show(c.reason) + flag(c.session_present, "present");
  if (c.session_expiry_seconds) shown += with_if(true, "session_expiry", *c.session_expiry_seconds);
  shown += with_if(c.receive_maximum != 65535, "receive_maximum", c.receive_maximum);
  shown += with_if(c.maximum_qos != 2, "maximum_qos", c.maximum_qos);
  shown += flag(!c.retain_available, "no_retain");
  shown += with_if(c.maximum_packet_size != 0, "packet_size", c.maximum_packet_size);
  shown += with_text("id", c.assigned_client_id);
  shown += with_if(c.topic_alias_maximum != 0, "aliases", c.topic_alias_maximum);
  shown += with_text("why", c.reason_string);
  shown += flag(!c.wildcard_subscription_available, "no_wildcards");
  shown += flag(!c.subscription_identifier_available, "no_identifiers");
  shown += flag(!c.shared_subscription_available, "no_shared");
  if (c.server_keep_alive) shown += with_if(true, "keep_alive", *c.server_keep_alive);
  shown += with_text("response_information", c.response_information);
  shown += with_text("server", c.server_reference) + with_text("method", c.authentication_method);
  return shown + show_properties(c.user_properties);
}

inline std::string show(const Publish& p) {
  std::string shown = "publish " + show(p.topic) + with("payload", show(p.payload));
  shown += with_if(p.qos != 0, "qos", p.qos) + with_if(p.packet_id != 0, "packet", p.packet_id);
  shown += flag(p.retain, "retain") + flag(p.dup, "dup") + with_if(p.alias != 0, "alias", p.alias);
  if (p.expiry_seconds) shown += with_if(true, "expiry", *p.expiry_seconds);
  for (const std::uint32_t id : p.subscription_ids) shown += with_if(true, "identifier", id);
  return shown + show_properties(p.properties);
}

inline std::string show(const Ack& a) {
  const char* const names[] = {"puback", "pubrec", "pubrel", "pubcomp"};
  return names[static_cast<int>(a.type) - 4] + with_if(true, "packet", a.packet_id) + " " +
         show(a.reason) + with_text("why", a.reason_string);
}

inline std::string show(const Subscribe& s) {
  std::string shown = "subscribe" + with_if(true, "packet", s.packet_id) +
                      with_if(s.identifier != 0, "identifier", s.identifier);
  for (const SubscribeEntry& e : s.entries) {
    shown += " {" + show(e.filter) + with_if(true, "qos", e.qos) + flag(e.no_local, "no_local");
    shown += flag(e.retain_as_published, "as_published");
    shown += with_if(e.retain_handling != 0, "retain_handling", e.retain_handling) + "}";
  }
  return shown + show_properties(s.user_properties);
}

inline std::string show(const SubscribeAck& a) {
  std::string shown = a.type == PacketType::suback ? "suback" : "unsuback";
  shown += with_if(true, "packet", a.packet_id);
  for (const Reason reason : a.reasons) shown += " " + show(reason);
  return shown + with_text("why", a.reason_string);
}

inline std::string show(const Unsubscribe& u) {
  std::string shown = "unsubscribe" + with_if(true, "packet", u.packet_id);
  for (const std::string_view filter : u.filters) shown += " {" + show(filter) + "}";
  return shown + show_properties(u.user_properties);
}

inline std::string show(const Disconnect& d) {
  std::string shown = "disconnect " + show(d.reason);
  if (d.session_expiry_seconds) shown += with_if(true, "session_expiry", *d.session_expiry_seconds);
  shown += with_text("why", d.reason_string) + with_text("server", d.server_reference);
  return shown + show_properties(d.user_properties);
}

inline std::string show(Event event, const Incoming& incoming) {
  switch (event) {
    case Event::none:
      return "none";
    case Event::connect:
      return show(incoming.connect);
    case Event::connack:
      return show(incoming.connack);
    case Event::publish:
      return show(incoming.publish);
    case Event::ack:
      return show(incoming.ack);
    case Event::subscribe:
      return show(incoming.subscribe);
    case Event::suback:
      return show(incoming.subscribe_ack);
    case Event::unsubscribe:
      return show(incoming.unsubscribe);
    case Event::pingreq:
      return "pingreq";
    case Event::pingresp:
      return "pingresp";
    case Event::disconnect:
      return show(incoming.disconnect);
    case Event::auth:
      return "auth " + show(incoming.auth.reason) + with("method", show(incoming.auth.method)) +
             with_text("data", as_text(incoming.auth.data));
    case Event::refused:
      return "refused " + show(incoming.fault.reason) + " " + incoming.fault.what;
  }
  return "?";
}

// Bytes in a heap block of just their size, so that AddressSanitizer sees a read behind them.
class Exact {
 public:
  explicit Exact(ByteView bytes) : bytes_(new std::uint8_t[bytes.size()]), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  [[nodiscard]] ByteView view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

inline bool is_final(Event event) { return event == Event::disconnect || event == Event::refused; }

// Feeds `bytes` and appends a line for every event. A server accepts a CONNECT as it comes.
// Returns the last event other than none.
inline Event feed(Connection& connection, ByteView bytes, Incoming& incoming, Buffer& out,
                  std::vector<std::string>& events) {
  const Exact exact(bytes);
  ByteView in = exact.view();
  Event last = Event::none;
  for (;;) {
    const Event event = connection.next(in, incoming, out);
    if (event == Event::none) return last;
    events.push_back(show(event, incoming));
    last = event;
    if (event == Event::connect) connection.accept(Connack{}, out);
    if (is_final(event)) return last;
  }
}

// A connection with CONNECT and CONNACK behind it.
inline Connection established(Role role, Version version, const Settings& settings,
                              Connect connect = {}, const Connack& connack = {}) {
  connect.version = version;
  Connection client(Role::client, settings);
  Connection server(Role::server, settings);
  Incoming incoming;
  Buffer to_server;
  Buffer to_client;
  client.connect(connect, to_server);
  ByteView in = to_server.view();
  if (server.next(in, incoming, to_client) != Event::connect) std::abort();
  server.accept(connack, to_client);
  in = to_client.view();
  if (client.next(in, incoming, to_server) != Event::connack) std::abort();
  return role == Role::server ? std::move(server) : std::move(client);
}

}  // namespace gnomon::mqtt::testing
