#include "broker/delivery.h"

#include <string>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::broker {
namespace {

// What a delivery says, its strings its own.
struct Expected {
  ConnectionRef to;
  Delivery delivery;
  std::vector<std::uint32_t> identifiers;
  bool has_message = false;
  std::string topic, payload;
  std::uint64_t id = 0;
};

message::Message message_of(const Expected& expected) {
  message::Message message;
  message.topic = expected.topic;
  message.payload = as_bytes(expected.payload);
  message.qos = 1;
  message.id = expected.id;
  message.origin.client_id = "lamp";
  return message;
}

TEST_CASE("deliveries come out of a block as they went in, in order") {
  SeededRandom random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<Expected> all(random.below(6));
    Buffer block;
    for (Expected& each : all) {
      each.to = {5, static_cast<std::uint32_t>(random.next()),
                 static_cast<std::uint32_t>(random.next())};
      Delivery& delivery = each.delivery;
      delivery.kind = static_cast<Delivery::Kind>(random.below(4));
      delivery.qos = static_cast<std::uint8_t>(random.below(3));
      delivery.retain = random.below(2) == 0;
      delivery.dup = random.below(2) == 0;
      delivery.reason =
          random.below(2) == 0 ? mqtt::Reason::success : mqtt::Reason::packet_identifier_not_found;
      delivery.packet_id = static_cast<std::uint16_t>(random.next());
      delivery.ticket = random.next();
      delivery.generation = random.next();
      for (auto n = random.below(4); n > 0; --n) {
        each.identifiers.push_back(static_cast<std::uint32_t>(random.next()));
      }
      delivery.identifiers = each.identifiers;
      each.has_message = random.below(2) == 0;
      each.topic = random.hex(random.below(9));
      each.payload = random.hex(random.below(40));
      each.id = random.next();
      const message::Message message = message_of(each);
      if (each.has_message) delivery.message = &message;
      append_delivery(each.to, delivery, block);
    }
    DeliveryReader reader(block.view(), 5);
    ConnectionRef to;
    Delivery got;
    for (const Expected& each : all) {
      REQUIRE(reader.next(to, got));
      CHECK(to == each.to);
      CHECK(got.kind == each.delivery.kind);
      CHECK(got.qos == each.delivery.qos);
      CHECK(got.retain == each.delivery.retain);
      CHECK(got.dup == each.delivery.dup);
      CHECK(got.reason == each.delivery.reason);
      CHECK(got.packet_id == each.delivery.packet_id);
      CHECK(got.ticket == each.delivery.ticket);
      CHECK(got.generation == each.delivery.generation);
      CHECK(std::equal(got.identifiers.begin(), got.identifiers.end(), each.identifiers.begin(),
                       each.identifiers.end()));
      REQUIRE((got.message != nullptr) == each.has_message);
      if (each.has_message) CHECK(*got.message == message_of(each));
    }
    CHECK_FALSE(reader.next(to, got));
  }
}

TEST_CASE("messages come out of a block with what they were forwarded by") {
  SeededRandom random(4);
  Buffer block;
  std::vector<Expected> all(20);
  std::vector<Forwarded> forwarded(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].topic = random.hex(1 + random.below(9));
    all[i].payload = random.hex(random.below(40));
    all[i].has_message = random.below(2) == 0;  // here: it is forwarded
    forwarded[i] = {partition::SlotId(static_cast<std::uint8_t>(random.next())), random.next()};
    append_message(message_of(all[i]), all[i].has_message ? &forwarded[i] : nullptr, block);
  }
  ByteView rest = block.view();
  for (std::size_t i = 0; i < all.size(); ++i) {
    Forwarded by;
    const bool is_forwarded = take_forwarded(rest, by);
    const auto decoded = message::decode(rest);
    REQUIRE(decoded.ok());
    rest = rest.subspan(decoded->size);
    CHECK(decoded->message == message_of(all[i]));
    REQUIRE(is_forwarded == all[i].has_message);
    if (!is_forwarded) continue;
    CHECK(by.slot == forwarded[i].slot);
    CHECK(by.sequence == forwarded[i].sequence);
  }
  CHECK(rest.empty());
}

}  // namespace
}  // namespace gnomon::broker
