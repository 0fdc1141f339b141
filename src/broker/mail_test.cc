#include "broker/mail.h"

#include <doctest/doctest.h>

#include "broker/delivery.h"
#include "runtime/sim.h"

namespace gnomon::broker {
namespace {

message::Message sample(std::string_view payload) {
  message::Message message;
  message.topic = "a/b";
  message.payload = as_bytes(payload);
  return message;
}

struct Pair {
  runtime::SimNetwork network{1};
  std::unique_ptr<runtime::Loop> loop = network.make_loop();
  ShardMailbox mailbox{*loop};
  Outbox outbox{3, mailbox};

  std::vector<Envelope> take() {
    std::vector<Envelope> mail;
    mailbox.take(mail);
    return mail;
  }
};

TEST_CASE("messages of a turn travel in one block, in front of control mail sent after them") {
  Pair pair;
  pair.outbox.send_message(sample("one"), nullptr, false);
  pair.outbox.send_message(sample("two"), nullptr, false);
  pair.outbox.send(InterestAck{5});
  pair.outbox.send_message(sample("three"), nullptr, false);
  pair.outbox.flush(Instant{});
  const auto mail = pair.take();
  REQUIRE(mail.size() == 3);
  CHECK(mail[0].from == 3);
  const auto& block = *std::get<Data>(mail[0].mail).block;
  ByteView rest = block.entries.view();
  for (const char* payload : {"one", "two"}) {
    Forwarded forwarded;
    CHECK_FALSE(take_forwarded(rest, forwarded));
    const auto decoded = message::decode(rest);
    REQUIRE(decoded.ok());
    CHECK(as_text(decoded->message.payload) == payload);
    rest = rest.subspan(decoded->size);
  }
  CHECK(rest.empty());
  CHECK(std::get<InterestAck>(mail[1].mail).sequence == 5);
  CHECK(std::holds_alternative<Data>(mail[2].mail));
  CHECK(pair.outbox.handed_over() == 3);
}

TEST_CASE("data stops when the credits are out; credits themselves never wait") {
  Pair pair;
  for (int i = 0; i < limits::mail_credits; ++i) {
    pair.outbox.send_message(sample("x"), nullptr, false);
    pair.outbox.flush(Instant{});
  }
  CHECK_FALSE(pair.outbox.blocked());
  pair.outbox.send_message(sample("late"), nullptr, false);
  pair.outbox.send(InterestAck{1});
  CHECK(pair.outbox.blocked());
  const auto sent = pair.outbox.sent();
  auto mail = pair.take();
  REQUIRE(mail.size() == limits::mail_credits);
  pair.outbox.send_credit(std::make_unique<Block>());
  pair.outbox.flush(Instant{});
  auto express = pair.take();
  REQUIRE(express.size() == 1);
  CHECK(std::holds_alternative<Credit>(express[0].mail));
  CHECK(pair.outbox.handed_over() < sent);

  auto& data = std::get<Data>(mail[0].mail);
  pair.outbox.credit(std::move(data.block));
  pair.outbox.flush(Instant{});
  CHECK_FALSE(pair.outbox.blocked());
  CHECK(pair.outbox.handed_over() == sent);
  const auto rest = pair.take();
  REQUIRE(rest.size() == 2);
  CHECK(std::holds_alternative<Data>(rest[0].mail));
  CHECK(std::holds_alternative<InterestAck>(rest[1].mail));
}

TEST_CASE("a full block is followed by another") {
  Pair pair;
  const std::string big(limits::mail_block_bytes / 2, 'x');
  for (int i = 0; i < 4; ++i) pair.outbox.send_message(sample(big), nullptr, false);
  pair.outbox.flush(Instant{});
  CHECK(pair.take().size() == 2);
}

}  // namespace
}  // namespace gnomon::broker
