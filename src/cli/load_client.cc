#include "cli/load_client.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

#include "mqtt/encode.h"

namespace gnomon::cli {
namespace {

// The generator never judges what a broker may send it.
const mqtt::Settings& settings() {
  static const mqtt::Settings roomy = [] {
    mqtt::Settings s;
    s.packet_bytes_max = 256 * MiB;
    s.connect_bytes_max = s.packet_bytes_max;
    s.receive_maximum = 65535;
    s.topic_alias_max = 0;  // so that the versions do the same work
    return s;
  }();
  return roomy;
}

Error system_error(const std::string& what, int number) {
  return {Code::unavailable, what + ": " + std::generic_category().message(number)};
}

// One source address serves about 28,000 ports towards one target, so on loopback the clients are
// spread over 127.0.0.2 and up.
int bind_source(int fd, std::uint32_t number) {
  const int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(0x7f000002 + number);
  return bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source);
}

}  // namespace

Result<Target> Target::from(const runtime::Address& address) {
  Target target;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.address);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    target.length = sizeof *v4;
  } else if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    target.length = sizeof *v6;
  } else {
    return Error{Code::invalid, address.host + " is not an IP address"};
  }
  return target;
}

LoadClient::~LoadClient() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> LoadClient::open(const Target& target) {
  const int family = target.address.ss_family;
  fd_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return system_error("socket", errno);
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&target.address);
  const bool loopback = family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  if (loopback && bind_source(fd_, source) != 0) return system_error("bind", errno);
  const auto* address = reinterpret_cast<const sockaddr*>(&target.address);
  if (connect(fd_, address, target.length) != 0 && errno != EINPROGRESS)
    return system_error("connect", errno);
  state = State::connecting;
  want_write_ = true;
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = this}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) return system_error("epoll", errno);
  return {};
}

Result<void> LoadClient::on_writable() {
  if (state == State::connecting) {
    int failure = 0;
    socklen_t length = sizeof failure;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure != 0) return system_error("connect", failure);
    if (options_.transport.plain()) {
      state = State::handshake;
      say_connect();
    } else {
      state = State::opening;
      link_ = std::make_unique<LoadLink>(options_.transport, session, index, wire_);
    }
  }
  flush();
  return {};
}

void LoadClient::say_connect() {
  handshake_ = std::make_unique<mqtt::Connection>(mqtt::Role::client, settings());
  const std::string id = options_.client_id + std::to_string(getpid()) + (publisher ? 'p' : 's') +
                         std::to_string(index);
  mqtt::Connect connect;
  connect.version = options_.version;
  connect.client_id = id;
  connect.keep_alive_seconds = 600;
  connect.clean_start = !persistent;
  if (persistent && options_.version == mqtt::Version::v5) connect.session_expiry_seconds = 3600;
  handshake_->connect(connect, output);
}

Result<std::optional<std::size_t>> LoadClient::receive(std::span<std::uint8_t> to,
                                                       std::span<std::uint8_t> wire) {
  const std::span<std::uint8_t> into = link_ ? wire : to;
  const ssize_t got = recv(fd_, into.data(), into.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<std::size_t>(0);
  if (got <= 0) return std::optional<std::size_t>();
  const auto count = static_cast<std::size_t>(got);
  if (!link_) return std::optional(count);
  const auto packets = link_->receive(into.first(count), to, wire_);
  if (!packets) return packets.error();
  if (state == State::opening && link_->open()) {
    state = State::handshake;
    resumed = link_->resumed();
    say_connect();
  }
  if (!wire_.empty()) flush();
  return std::optional(*packets);
}

Result<void> LoadClient::on_handshake_bytes(ByteView& bytes, mqtt::Incoming& incoming) {
  using mqtt::Event;
  for (;;) {
    switch (handshake_->next(bytes, incoming, output)) {
      case Event::none:
        return {};
      case Event::connack: {
        const auto reason = incoming.connack.reason;
        if (reason != mqtt::Reason::success)
          return Error{Code::unavailable,
                       "the broker refused the connection: " + std::string(mqtt::describe(reason))};
        if (greeting == Greeting::resume && !incoming.connack.session_present)
          return Error{Code::unavailable, "the broker has forgotten a session"};
        if (greeting == Greeting::none || greeting == Greeting::resume) break;
        mqtt::Subscribe subscribe;
        subscribe.packet_id = 1;
        for (const std::string& filter : filters)
          subscribe.entries.push_back({.filter = filter, .qos = qos});
        handshake_->subscribe(subscribe, output);
        if (greeting == Greeting::ask) break;
        continue;
      }
      case Event::suback: {
        for (const auto reason : incoming.subscribe_ack.reasons)
          if (static_cast<std::uint8_t>(reason) != qos)
            return Error{Code::unavailable, "the broker refused to subscribe to " +
                                                filters.front() + ": " +
                                                std::string(mqtt::describe(reason))};
        break;
      }
      default:
        return Error{Code::unavailable, "the broker ended the handshake"};
    }
    state = State::ready;
    handshake_.reset();
    return {};
  }
}

void LoadClient::leave() {
  constexpr std::array<std::uint8_t, 2> disconnect{0xe0, 0};
  output.append(disconnect);
  if (link_) {
    link_->send(output, wire_);
    link_->finish(wire_);
  }
  flush();
  if (state == State::closed) return;
  shutdown(fd_, SHUT_WR);
  state = State::leaving;
}

void LoadClient::flush() {
  if (link_ && link_->open() && !output.empty()) link_->send(output, wire_);
  Buffer& out = link_ ? wire_ : output;
  while (!out.empty()) {
    const ssize_t sent_now = send(fd_, out.data(), out.size(), MSG_NOSIGNAL);
    if (sent_now < 0 && errno == EINTR) continue;
    if (sent_now < 0 && errno == EAGAIN) return want_write(true);
    if (sent_now < 0) return close();
    out.consume(static_cast<std::size_t>(sent_now));
  }
  want_write(false);
}

void LoadClient::want_write(bool want) {
  if (want_write_ == want) return;
  want_write_ = want;
  epoll_event event{.events = EPOLLIN | (want ? EPOLLOUT : 0U), .data = {.ptr = this}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event);
}

void LoadClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state = State::closed;
  want_write_ = false;
  output.clear();
  partial.clear();
  link_.reset();
  wire_.release();
  handshake_.reset();
}

void LoadClient::prepare(std::uint8_t message_qos, bool retain) {
  const std::size_t payload_bytes = options_.payload_bytes;
  const std::vector<std::uint8_t> payload(payload_bytes, 'x');
  mqtt::Publish publish;
  publish.topic = topic;
  publish.payload = payload;
  publish.qos = message_qos;
  publish.retain = retain;
  publish.packet_id = message_qos > 0 ? 1 : 0;
  id_at_ = mqtt::append_publish(options_.version, publish, packet_);
  stamp_at_ = packet_.size() - payload_bytes;
  if (topics > 1) digits_at_ = id_at_ - topic.size() + number_at;  // the id is behind the topic
}

void LoadClient::prepare_document(std::uint8_t message_qos, std::string_view document,
                                  const std::vector<std::size_t>& numbers_at) {
  packet_.clear();
  mqtt::Publish publish;
  publish.topic = topic;
  publish.payload = as_bytes(document);
  publish.qos = message_qos;
  publish.packet_id = message_qos > 0 ? 1 : 0;
  id_at_ = mqtt::append_publish(options_.version, publish, packet_);
  const std::size_t begin = packet_.size() - document.size();
  numbers_at_.clear();
  for (const std::size_t at : numbers_at) numbers_at_.push_back(begin + at);
}

void write_number(char* at, std::uint64_t number) {
  for (std::size_t digit = topic_digits; digit-- > 0; number /= 10) {
    at[digit] = static_cast<char>('0' + number % 10);
  }
}

void LoadClient::append_message(Instant now) {
  const Stamp stamp{now.ns, index, static_cast<std::uint32_t>(sent)};
  if (id_at_ != 0)
    mqtt::patch_packet_id(packet_.data() + id_at_, static_cast<std::uint16_t>(sent % 65535 + 1));
  if (topics > 1) {
    write_number(reinterpret_cast<char*>(packet_.data()) + digits_at_,
                 index + stride * (sent % topics));
  }
  if (numbers_at_.empty()) std::memcpy(packet_.data() + stamp_at_, &stamp, sizeof stamp);
  for (const std::size_t at : numbers_at_)
    write_number(reinterpret_cast<char*>(packet_.data()) + at, sent % topics_max);
  if (!asked.empty()) asked[sent % asked.size()] = now;
  output.append(packet_.view());
  ++sent;
}

}  // namespace gnomon::cli
