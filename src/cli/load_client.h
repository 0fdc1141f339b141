// LoadClient: one MQTT client of the load generator, on a socket of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/load.h"
#include "cli/load_link.h"
#include "mqtt/connection.h"

namespace gnomon::cli {

// Where to connect to, as the system calls want it.
struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
  // Errors: invalid (the host is not a literal).
  static Result<Target> from(const runtime::Address& address);
};

// Owner: the generator; one thread. The handshake goes through mqtt::Connection; after it, packets
// are only cut (frames.h), so that the generator costs less than any broker.
class LoadClient {
 public:
  enum class State : std::uint8_t {
    idle,
    connecting,
    opening,    // TLS, WebSocket
    handshake,  // of MQTT
    ready,
    leaving,
    closed,
  };
  // What it does after CONNACK.
  enum class Greeting : std::uint8_t {
    none,       // is ready at once
    subscribe,  // is ready when its subscription is granted
    ask,        // subscribes, and is ready at once: messages may come before the SUBACK
    resume,     // is ready at once, unless the broker does not know its session
  };

  // `options` outlive it.
  LoadClient(int epoll, const LoadOptions& options) : epoll_(epoll), options_(options) {}
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Starts to connect, for the first time or when closed. Errors: unavailable, with the system's
  // reason.
  Result<void> open(const Target& target);
  // The socket can be written. Errors: unavailable (the connection was refused).
  Result<void> on_writable();
  // Reads from the socket once, what there is, through the link: so many bytes of packets are now
  // at the front of `to`, and nothing if the connection has ended. `wire`: room to read into when
  // there is a link. Errors: as LoadLink::receive().
  Result<std::optional<std::size_t>> receive(std::span<std::uint8_t> to,
                                             std::span<std::uint8_t> wire);
  // Handshake only: takes what was received, as far as it belongs to the handshake. Errors:
  // unavailable (the broker refused).
  Result<void> on_handshake_bytes(ByteView& bytes, mqtt::Incoming& incoming);
  // Sends DISCONNECT; the broker closes when it has taken it.
  void leave();

  // Writes the output as far as the socket takes it; closes on failure.
  void flush();
  void close();

  // Makes the PUBLISH that append_message() copies.
  void prepare(std::uint8_t message_qos, bool retain);
  void append_message(Instant now);
  // The same with a document, that has `topic_digits` of a number in each of these places.
  void prepare_document(std::uint8_t message_qos, std::string_view document,
                        const std::vector<std::size_t>& numbers_at);
  [[nodiscard]] std::size_t message_bytes() const { return packet_.size(); }

  State state = State::idle;
  bool publisher = false;
  bool persistent = false;   // its session outlives its connection
  bool leaves = false;       // as soon as it is ready
  bool queued = false;       // in the generator's list of those that may publish
  std::uint32_t index = 0;   // among the publishers, or among the subscribers
  std::uint32_t source = 0;  // on loopback it comes from 127.0.0.2 + so many
  std::string topic;         // to publish on
  std::vector<std::string> filters;
  std::uint8_t qos = 0;  // to subscribe with
  Greeting greeting = Greeting::none;
  std::shared_ptr<net::TlsLayer::Session> session;  // to be resumed; null: never
  bool resumed = false;                             // the last connection
  Instant opened;                                   // by the generator's clock
  Buffer partial;                                   // an unfinished packet
  Buffer output;
  // publisher
  std::uint64_t sent = 0, acknowledged = 0, quota = 0;
  std::uint64_t received = 0;   // PUBRECs
  std::uint64_t delivered = 0;  // to all subscribers together
  // It publishes on so many topics in turn: the number in `topic`, topic_digits from `number_at`
  // on, is index, index + stride, …
  std::uint32_t topics = 1, stride = 1;
  std::size_t number_at = 0;
  // subscriber: the sequence number due next, by publisher; a single one if it hears only one, of
  // whose messages each `step`-th comes here
  std::vector<std::uint32_t> next;
  std::uint32_t step = 1;
  std::vector<bool> seen;  // retained messages, by the number of their topic
  // mesh: sequence numbers that were refused, and messages that came to be missed here
  std::vector<std::uint32_t> refusals;
  std::uint64_t lost = 0;
  std::vector<Instant> asked;  // shadows: when, of those that are not answered; by number

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool blocked() const { return want_write_; }

 private:
  void want_write(bool want);
  void say_connect();

  int epoll_;
  const LoadOptions& options_;
  int fd_ = -1;
  bool want_write_ = false;
  std::unique_ptr<LoadLink> link_;  // null: packets are what the socket carries
  Buffer wire_;                     // with a link: what it has made of `output`
  std::unique_ptr<mqtt::Connection> handshake_;
  Buffer packet_;
  std::size_t id_at_ = 0, digits_at_ = 0, stamp_at_ = 0;
  std::vector<std::size_t> numbers_at_;  // not empty: it is a document
};

// How topics are numbered that a publisher uses in turn.
constexpr std::size_t topic_digits = 7;
static_assert(topics_max == 10'000'000);
void write_number(char* at, std::uint64_t number);  // so many digits

// What a publisher writes at the start of each payload, in the machine's own byte order.
struct Stamp {
  std::int64_t sent_ns;
  std::uint32_t publisher, sequence;
};

}  // namespace gnomon::cli
