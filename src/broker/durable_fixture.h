// Test fixture: a client that keeps the state of its session as MQTT demands, over connections and
// crashes of the broker. For tests of this module only.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_fixture.h"

namespace gnomon::broker::testing {

class Device {
 public:
  // A PUBLISH that has no final acknowledgement yet.
  struct Sent {
    std::uint16_t packet_id = 0;
    std::uint8_t qos = 1;
    bool retain = false;
    bool released = false;  // PUBREC came: PUBREL is what is sent again
    std::string topic, payload;
    std::string name;  // the test's
  };
  struct Receipt {
    std::string topic, payload;
    std::uint8_t qos = 0;
    bool retain = false, dup = false;
    std::uint16_t packet_id = 0;
  };
  // Who is told what happens.
  class Watcher {
   public:
    virtual void connected(Device& device, bool session_present) = 0;
    virtual void received(Device& device, const Receipt& receipt) = 0;
    virtual void acknowledged(Device& device, const Sent& sent) = 0;  // PUBACK, the first PUBREC
    virtual void resent(Device& device, const Sent& sent) = 0;
    virtual void subscribed(Device& device, const std::string& filter) = 0;
    virtual void unsubscribed(Device& device, const std::string& filter) = 0;
    virtual void ended(Device& device) = 0;  // by the server
    virtual void problem(Device& device, const std::string& what) = 0;

   protected:
    ~Watcher() = default;
  };

  Device(Watcher& watcher, std::string client_id, mqtt::Version spoken)
      : id(std::move(client_id)), version(spoken), watcher_(watcher) {}

  const std::string id;
  const mqtt::Version version;
  mqtt::Settings settings;  // what it allows the server; before connect()

  void connect(Broker& broker, bool clean_start, std::uint32_t expiry,
               const std::optional<mqtt::Will>& will = {}) {
    link_ = broker.network.connect(broker.listener->address());
    machine_ = std::make_unique<mqtt::Connection>(mqtt::Role::client, settings);
    out_.clear();
    online_ = false;
    mqtt::Connect packet;
    packet.version = version;
    packet.client_id = id;
    packet.clean_start = clean_start;
    packet.session_expiry_seconds = version == mqtt::Version::v5 ? expiry : 0;
    packet.will = will;
    machine_->connect(packet, out_);
    flush();
  }
  void subscribe(const std::string& filter, std::uint8_t qos) {
    mqtt::Subscribe packet;
    packet.packet_id = next_id();
    packet.entries.push_back({filter, qos, false, false, 0});
    asked_[packet.packet_id] = filter;
    machine_->subscribe(packet, out_);
    flush();
  }
  void unsubscribe(const std::string& filter) {
    mqtt::Unsubscribe packet;
    packet.packet_id = next_id();
    packet.filters.emplace_back(filter);
    asked_[packet.packet_id] = filter;
    machine_->unsubscribe(packet, out_);
    flush();
  }
  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos, bool retain,
               const std::string& name) {
    Sent sent{qos > 0 ? next_id() : std::uint16_t{0}, qos, retain, false, topic, payload, name};
    send(sent, false);
    if (qos > 0) sent_.push_back(std::move(sent));
    flush();
  }
  // Sends the oldest of the acknowledgements that are due.
  void answer(std::size_t most) {
    for (; most > 0 && !answers_.empty(); --most) {
      const mqtt::Ack ack = answers_.front();
      answers_.pop_front();
      if (ack.type == mqtt::PacketType::puback) unanswered_.erase(ack.packet_id);
      machine_->ack(ack, out_);
    }
    flush();
  }
  void disconnect() {
    machine_->disconnect({}, out_);
    flush();
    lose();
  }
  void drop() {
    link_->close(true);
    lose();
  }
  // The connection is gone, and what was not answered on it will not be.
  void lose() {
    link_.reset();
    machine_.reset();
    online_ = false;
    answers_.clear();
    unanswered_.clear();
    asked_.clear();
  }

  // Takes what has arrived.
  void poll() {
    if (!link_) return;
    const Buffer bytes = std::exchange(link_->received(), Buffer());
    ByteView in = bytes.view();
    for (;;) {
      const mqtt::Event event = machine_->next(in, incoming_, out_);
      if (event == mqtt::Event::none) break;
      if (event == mqtt::Event::refused) watcher_.problem(*this, incoming_.fault.what);
      if (event == mqtt::Event::connack && incoming_.connack.reason != mqtt::Reason::success) break;
      if (event == mqtt::Event::disconnect || event == mqtt::Event::refused) break;
      take(event);
    }
    flush();
    if (!link_->closed_by_server()) return;
    lose();
    watcher_.ended(*this);
  }
  [[nodiscard]] bool linked() const { return link_ != nullptr; }
  [[nodiscard]] bool online() const { return online_; }
  [[nodiscard]] bool quiet() const { return answers_.empty() && asked_.empty() && sent_.empty(); }
  [[nodiscard]] bool waits() const { return link_ && !link_->received().empty(); }
  [[nodiscard]] std::size_t unacknowledged() const { return sent_.size(); }
  [[nodiscard]] bool asking(const std::string& filter) const {
    return std::any_of(asked_.begin(), asked_.end(),
                       [&](const auto& each) { return each.second == filter; });
  }

 private:
  std::uint16_t next_id() {
    const auto used = [this](std::uint16_t number) {
      return asked_.contains(number) ||
             std::any_of(sent_.begin(), sent_.end(),
                         [&](const Sent& each) { return each.packet_id == number; });
    };
    // Few ids, so that they come round often.
    do ids_ = static_cast<std::uint16_t>(ids_ % 200 + 1);
    while (used(ids_));
    return ids_;
  }
  void flush() {
    if (link_ && !out_.empty()) link_->send(out_.view());
    out_.clear();
  }
  void send(const Sent& sent, bool dup) {
    if (sent.released) {
      machine_->ack({mqtt::PacketType::pubrel, sent.packet_id, mqtt::Reason::success, {}}, out_);
      return;
    }
    mqtt::Publish packet;
    packet.topic = sent.topic;
    packet.payload = as_bytes(sent.payload);
    packet.qos = sent.qos;
    packet.retain = sent.retain;
    packet.dup = dup;
    packet.packet_id = sent.packet_id;
    machine_->publish(packet, out_);
  }

  void take(mqtt::Event event) {
    if (event == mqtt::Event::connack) return take_connack();
    if (event == mqtt::Event::publish) return take_publish();
    if (event == mqtt::Event::ack) return take_ack();
    if (event != mqtt::Event::suback) return;
    const mqtt::SubscribeAck& ack = incoming_.subscribe_ack;
    const auto asked = asked_.find(ack.packet_id);
    if (asked == asked_.end()) return watcher_.problem(*this, "SUBACK for nothing");
    const std::string filter = asked->second;
    asked_.erase(asked);
    for (const mqtt::Reason reason : ack.reasons) {
      if (reason >= mqtt::Reason::unspecified_error) watcher_.problem(*this, "a filter is refused");
    }
    ack.type == mqtt::PacketType::suback ? watcher_.subscribed(*this, filter)
                                         : watcher_.unsubscribed(*this, filter);
  }
  void take_connack() {
    online_ = true;
    const bool present = incoming_.connack.session_present;
    if (!present) {  // only now: a clean start may not have reached the server
      sent_.clear();
      held_.clear();
    }
    watcher_.connected(*this, present);
    for (const Sent& each : sent_) {  // MQTT 5 §4.4
      send(each, true);
      watcher_.resent(*this, each);
    }
  }
  void take_publish() {
    const mqtt::Publish& p = incoming_.publish;
    const Receipt receipt{
        std::string(p.topic), std::string(as_text(p.payload)), p.qos, p.retain, p.dup, p.packet_id};
    const auto held = held_.find(p.packet_id);
    const auto open = unanswered_.find(p.packet_id);
    if (p.qos > 0 && open != unanswered_.end()) {
      watcher_.problem(*this, "a packet id in flight is used again for " + receipt.payload);
    }
    if (p.qos == 2) {
      answers_.push_back({mqtt::PacketType::pubrec, p.packet_id, mqtt::Reason::success, {}});
      if (held != held_.end()) {
        if (held->second != receipt.payload) {
          watcher_.problem(
              *this, held->second + " is not released, and its id is used for " + receipt.payload);
        }
        if (!p.dup) watcher_.problem(*this, receipt.payload + " came again without DUP");
        return;
      }
      held_.emplace(p.packet_id, receipt.payload);
    } else if (p.qos == 1) {
      if (held != held_.end()) {
        watcher_.problem(*this, "an unreleased packet id is used for " + receipt.payload);
      }
      unanswered_.emplace(p.packet_id, receipt.payload);
      answers_.push_back({mqtt::PacketType::puback, p.packet_id, mqtt::Reason::success, {}});
    }
    watcher_.received(*this, receipt);
  }
  void take_ack() {
    const mqtt::Ack& ack = incoming_.ack;
    if (ack.type == mqtt::PacketType::pubrel) {
      held_.erase(ack.packet_id);
      answers_.push_back({mqtt::PacketType::pubcomp, ack.packet_id, mqtt::Reason::success, {}});
      return;
    }
    const auto at = std::find_if(sent_.begin(), sent_.end(),
                                 [&](const Sent& each) { return each.packet_id == ack.packet_id; });
    if (at == sent_.end()) return watcher_.problem(*this, "an acknowledgement of nothing");
    if (ack.reason >= mqtt::Reason::unspecified_error) {
      watcher_.problem(*this, at->payload + " is refused");
    }
    if (ack.type != mqtt::PacketType::pubcomp && !at->released) watcher_.acknowledged(*this, *at);
    if (ack.type == mqtt::PacketType::pubrec) {
      at->released = true;
      return send(*at, false);
    }
    sent_.erase(at);
  }

  Watcher& watcher_;
  std::unique_ptr<runtime::SimClient> link_;
  std::unique_ptr<mqtt::Connection> machine_;
  mqtt::Incoming incoming_;
  Buffer out_;
  bool online_ = false;
  std::uint16_t ids_ = 0;
  // Of the session.
  std::deque<Sent> sent_;
  std::map<std::uint16_t, std::string> held_;  // QoS 2 received and not released
  // Of the connection.
  std::deque<mqtt::Ack> answers_;                    // due, in order
  std::map<std::uint16_t, std::string> unanswered_;  // QoS 1 received, PUBACK not sent
  std::map<std::uint16_t, std::string> asked_;       // (UN)SUBSCRIBEs by id
};

// Keeps what a device got.
class Recorder final : public Device::Watcher {
 public:
  void connected(Device&, bool session_present) override { present = session_present; }
  void received(Device&, const Device::Receipt& receipt) override { receipts.push_back(receipt); }
  void acknowledged(Device&, const Device::Sent& sent) override {
    acknowledgements.push_back(sent);
  }
  void resent(Device&, const Device::Sent&) override {}
  void subscribed(Device&, const std::string&) override { ++subscriptions; }
  void unsubscribed(Device&, const std::string&) override {}
  void ended(Device& device) override { problem(device, "ended by the server"); }
  void problem(Device& device, const std::string& what) override {
    throw std::runtime_error(device.id + ": " + what);
  }
  std::vector<Device::Receipt> receipts;
  std::vector<Device::Sent> acknowledgements;
  bool present = false;
  int subscriptions = 0;
};

}  // namespace gnomon::broker::testing
