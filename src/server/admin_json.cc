#include "server/admin_json.h"

#include <algorithm>

#include "base/json_text.h"
#include "base/limits.h"

namespace gnomon::server {

namespace {

// Object: the members of a JSON object, one after the other.
class Object {
 public:
  Object& text(std::string_view name, std::string_view value) {
    key(name);
    append_json(out_, value);
    return *this;
  }
  Object& number(std::string_view name, std::int64_t value) {
    key(name);
    out_ += std::to_string(value);
    return *this;
  }
  Object& truth(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
    return *this;
  }
  std::string end() { return std::move(out_) + '}'; }

 private:
  void key(std::string_view name) {
    out_ += out_.size() > 1 ? "," : "";
    append_json(out_, name);
    out_ += ':';
  }
  std::string out_ = "{";
};

const char* version_name(mqtt::Version version) {
  switch (version) {
    case mqtt::Version::v31:
      return "3.1";
    case mqtt::Version::v311:
      return "3.1.1";
    case mqtt::Version::v5:
      break;
  }
  return "5";
}

std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }

}  // namespace

std::string to_json(const broker::ClientView& client, WallTime now) {
  Object object;
  object.text("client_id", client.client_id);
  object.truth("connected", client.connected.has_value());
  object.truth("persistent", client.persistent);
  if (const auto& connected = client.connected) {
    object.text("address", connected->address);
    object.text("version", version_name(connected->version));
    object.number("keep_alive_seconds", connected->keep_alive_seconds);
    object.number("idle_seconds", connected->idle.count() / 1000);
    object.number("output_bytes", signed_of(connected->output_bytes));
    object.number("shard", connected->shard);
  } else if (client.gone.ms != 0) {
    object.number("gone_seconds", std::max<std::int64_t>(0, now.ms - client.gone.ms) / 1000);
  }
  if (client.expiry_seconds == UINT32_MAX) {
    object.text("expiry_seconds", "never");
  } else if (client.expiry_seconds > 0) {
    object.number("expiry_seconds", client.expiry_seconds);
  }
  object.number("subscriptions", signed_of(client.subscriptions));
  if (client.messages) {
    object.number("queued", signed_of(client.messages->queued));
    object.number("queued_bytes", signed_of(client.messages->bytes));
    object.number("in_flight", signed_of(client.messages->in_flight));
  }
  return object.end();
}

std::string to_json(const broker::SubscriptionView& subscription, bool with_client) {
  Object object;
  if (with_client) object.text("client_id", subscription.client_id);
  object.text("filter", subscription.filter);
  const topic::Options& options = subscription.options;
  object.number("qos", options.qos);
  if (options.no_local != 0) object.truth("no_local", true);
  if (options.retain_as_published != 0) object.truth("retain_as_published", true);
  if (options.identifier != 0) object.number("identifier", options.identifier);
  return object.end();
}

std::string to_json(const message::Message& retained) {
  Object object;
  object.text("topic", retained.topic);
  object.number("qos", retained.qos);
  object.number("bytes", signed_of(retained.payload.size()));
  object.number("received_ms", retained.received.ms);
  if (retained.expires.ms != 0) object.number("expires_ms", retained.expires.ms);
  if (!retained.origin.client_id.empty()) object.text("publisher", retained.origin.client_id);
  object.text("payload", as_text(retained.payload).substr(0, limits::admin_payload_bytes));
  return object.end();
}

}  // namespace gnomon::server
