// Take-over, subscribe and publish racing on real threads and sockets: for ThreadSanitizer, which
// sees nothing in the simulation's single thread.
#include <algorithm>
#include <arpa/inet.h>
#include <future>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>

#include "broker/shard.h"
#include "runtime/network.h"
#include "store/memory.h"

namespace gnomon::broker {
namespace {

using mqtt::Event;

// A client on a blocking socket.
class Blocking {
 public:
  explicit Blocking(const runtime::Address& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};  // only a hang-up of the broker would take so long
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~Blocking() { ::close(fd_); }
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

  mqtt::Connection machine{mqtt::Role::client, settings};
  Buffer out;

  void flush() {
    while (!out.empty()) {
      const ssize_t sent = send(fd_, out.data(), out.size(), MSG_NOSIGNAL);
      if (sent <= 0) return out.clear();
      out.consume(static_cast<std::size_t>(sent));
    }
  }
  // Reads until `wanted` has come; false if the broker closed before. Acknowledges QoS 1.
  bool wait_for(Event wanted) {
    for (;;) {
      flush();
      ByteView in = rest_.view();
      while (true) {
        const Event event = machine.next(in, incoming, out);
        if (event == Event::none) break;
        if (event == Event::publish && incoming.publish.qos == 1) {
          machine.ack(
              {mqtt::PacketType::puback, incoming.publish.packet_id, mqtt::Reason::success, {}},
              out);
        }
        if (event == Event::disconnect || event == Event::refused) return false;
        if (event == wanted) {
          Buffer left;
          left.append(in);
          rest_ = std::move(left);
          return true;
        }
      }
      rest_.clear();
      std::uint8_t part[4096];
      const ssize_t got = recv(fd_, part, sizeof part, 0);
      if (got <= 0) return false;
      rest_.append(part, static_cast<std::size_t>(got));
    }
  }
  mqtt::Incoming incoming;

 private:
  mqtt::Settings settings;
  int fd_;
  Buffer rest_;
};

// The store is durable at once.
class NoSyncer final : public partition::Syncer {
 public:
  void request(int) override {}
};

class Everybody final : public Authenticator {
 public:
  std::optional<Verdict> authenticate(const Credentials&, Later) override {
    return Identity{"somebody", nullptr};
  }
  std::optional<Verdict> renew(const Credentials&, std::string_view, Later) override {
    return Identity{"somebody", nullptr};
  }
  [[nodiscard]] WallTime now() const override { return {1}; }
};

// Shards with their own threads, and an acceptor.
class Threads {
 public:
  explicit Threads(int count) : network_(runtime::make_epoll_network(monotonic_, wall_)) {
    control_ = network_->make_loop();
    pool_ = std::make_unique<runtime::LoopPool>(*control_);
    for (int i = 0; i < count; ++i) {
      loops_.push_back(network_->make_loop());
      shards_.push_back(std::make_unique<Shard>(
          Shard::Setup{static_cast<ShardId>(i), count, 42, 1, profile_, *loops_.back(), *store_,
                       syncer_, *pool_, random_, authenticator_, [](const Error&) {}}));
    }
    for (auto& shard : shards_) shard->join(shards_);
    listener_ = std::move(*control_->listen({"127.0.0.1", 0}, [this](auto accepted) {
      for (const runtime::Accepted& connection : accepted) {
        const std::size_t i = next_++ % shards_.size();
        shards_[i]->load_counter().fetch_add(1);
        loops_[i]->post([shard = shards_[i].get(), connection] { shard->adopt(connection); });
      }
    }));
    for (auto& loop : loops_) loop->start("shard");
    control_->start("control");
  }
  ~Threads() {
    control_->stop();
    for (auto& loop : loops_) loop->stop();
  }
  [[nodiscard]] const runtime::Address& address() const { return listener_->address(); }
  std::uint64_t total(Count which) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      std::promise<std::uint64_t> answer;
      loops_[i]->post([&, i] { answer.set_value(shards_[i]->sample().get(which)); });
      sum += answer.get_future().get();
    }
    return sum;
  }

 private:
  SystemMonotonicClock monotonic_;
  SystemWallClock wall_;
  SystemRandom random_;
  Profile profile_;
  std::unique_ptr<store::Store> store_ = store::make_memory_store();
  NoSyncer syncer_;
  Everybody authenticator_;
  std::unique_ptr<runtime::LoopPool> pool_;
  std::unique_ptr<runtime::Network> network_;
  std::unique_ptr<runtime::Loop> control_;
  std::vector<std::unique_ptr<runtime::Loop>> loops_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<runtime::Listener> listener_;
  std::size_t next_ = 0;
};

// One life of a client: connect under an id that others want too, with a will; subscribe, publish,
// unsubscribe, go. May be cut short by a take-over at any point.
bool live(const runtime::Address& address, const std::string& id, std::uint64_t chance) {
  Blocking client(address);
  mqtt::Connect connect;
  connect.client_id = id;
  connect.clean_start = (chance & 2) != 0;
  connect.session_expiry_seconds = chance % 5 < 2 ? 60 : 0;
  mqtt::Will will;
  will.topic = "race/wills";
  connect.will = will;
  client.machine.connect(connect, client.out);
  if (!client.wait_for(Event::connack) || client.incoming.connack.reason != mqtt::Reason::success) {
    return false;
  }
  mqtt::Subscribe subscribe;
  subscribe.packet_id = 1;
  const std::string exact = "race/" + std::to_string(chance % 4);
  subscribe.entries = {{.filter = "race/+"},
                       {.filter = exact},
                       {.filter = "race/#"},
                       {.filter = "$share/one/race/+"},
                       {.filter = "$share/two/race/#"},
                       {.filter = "$aws/events/#"}};
  for (auto& entry : subscribe.entries) entry.qos = static_cast<std::uint8_t>(chance % 3);
  client.machine.subscribe(subscribe, client.out);
  if (!client.wait_for(Event::suback)) return false;
  for (std::uint16_t i = 2; i < 12; ++i) {
    mqtt::Publish publish;
    const std::string topic = "race/" + std::to_string((chance + i) % 4);
    publish.topic = topic;
    publish.payload = as_bytes("payload");
    publish.qos = static_cast<std::uint8_t>(1 + i % 2);
    publish.packet_id = i;
    client.machine.publish(publish, client.out);
  }
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = 20;
  unsubscribe.filters = {"race/+", "race/#", "$share/two/race/#", "$aws/events/#"};
  client.machine.unsubscribe(unsubscribe, client.out);
  if (!client.wait_for(Event::suback)) return false;
  if (chance % 3 == 0) return true;  // without DISCONNECT: the will goes out
  client.machine.disconnect({}, client.out);
  client.flush();
  return true;
}

TEST_CASE("take-over, subscribe and publish race on threads") {
  Threads broker(3);
  std::vector<std::thread> threads;
  std::atomic<int> complete{0};
  for (std::uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      SeededRandom random(t);
      for (int round = 0; round < 40; ++round) {
        const std::string id = "racer-" + std::to_string(random.below(3));
        complete += live(broker.address(), id, random.next()) ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(complete > 0);
  CHECK(broker.total(Count::disconnects_taken_over) > 0);
  CHECK(broker.total(Count::wills_published) > 0);
  CHECK(broker.total(Count::presence_events) > 0);
  CHECK(broker.total(Count::sessions_resumed) > 0);
  CHECK(broker.total(Count::disconnects_protocol) == 0);
  CHECK(broker.total(Count::connect_timeouts) == 0);
  // Nobody is left behind: the same ids can be had again, one life after the other.
  for (const char* id : {"racer-0", "racer-1", "racer-2"}) {
    CHECK(live(broker.address(), id, 1));
  }
}

}  // namespace
}  // namespace gnomon::broker
