#include "cli/http_client.h"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "net/http_response.h"
#include "net/tls_client.h"
#include "runtime/loop.h"

namespace gnomon::cli {

namespace {

constexpr std::size_t answer_bytes_max = 64 * MiB;

Error failed(const std::string& address) {
  const bool late = errno == EAGAIN || errno == EWOULDBLOCK;
  return {Code::unavailable, "cannot talk to " + address + ": " +
                                 (late ? "it does not answer in time" : std::strerror(errno))};
}

// A connected socket, closed with this object.
class Connection {
 public:
  static Result<Connection> open(const HttpServerAt& server) {
    const auto address = runtime::parse_address(server.address);
    if (!address) return address.error();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(address->port);
    if (const int error = getaddrinfo(address->host.c_str(), port.c_str(), &hints, &found)) {
      return Error{Code::invalid, server.address + ": " + gai_strerror(error)};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, freeaddrinfo);
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      Connection connection(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (connection.socket_ < 0) continue;
      connection.wait_for(server.patience);
      if (::connect(connection.socket_, each->ai_addr, each->ai_addrlen) == 0) return connection;
      const int why = errno;
      connection = Connection(-1);
      errno = why;
    }
    const bool nobody = errno == ECONNREFUSED;
    return Error{nobody ? Code::not_found : Code::unavailable, failed(server.address).message};
  }
  explicit Connection(int socket) : socket_(socket) {}
  Connection(Connection&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }

  // All of it; false: errno says why not.
  bool send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // 0: the other end has closed; below 0: errno says why.
  ssize_t receive(std::span<std::uint8_t> to) {
    for (;;) {
      const ssize_t got = ::recv(socket_, to.data(), to.size(), 0);
      if (got >= 0 || errno != EINTR) return got;
    }
  }

 private:
  void wait_for(std::optional<std::chrono::seconds> patience) {
    if (!patience) return;
    const timeval most{.tv_sec = patience->count(), .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  }
  int socket_;
};

std::string text_of(const net::Request& request) {
  std::string text = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  for (const net::Header& header : request.headers)
    text += header.name + ": " + header.value + "\r\n";
  return text + "Content-Length: " + std::to_string(request.body.size()) +
         "\r\nConnection: close\r\n\r\n" + request.body;
}

// Sends all, then reads until the other end closes.
Result<std::string> talk(Connection& connection, std::string_view request,
                         const std::string& address) {
  if (!connection.send(as_bytes(request))) return failed(address);
  std::string answer;
  std::vector<std::uint8_t> part(16 * KiB);
  while (answer.size() < answer_bytes_max) {
    const ssize_t got = connection.receive(part);
    if (got < 0) return failed(address);
    if (got == 0) break;
    answer += as_text(ByteView(part).first(static_cast<std::size_t>(got)));
  }
  return answer;
}

// The same through TLS.
Result<std::string> talk(Connection& connection, std::string_view request,
                         const HttpServerAt& server) {
  Buffer wire;
  const std::string name = runtime::parse_address(server.address)->host;
  net::TlsClient tls(server.tls, name, net::TlsLayer::make_session(), wire);
  std::string answer;
  std::vector<std::uint8_t> part(16 * KiB), plain(net::TlsClient::plain_bytes(part.size()));
  bool asked = false;
  while (answer.size() < answer_bytes_max) {
    if (tls.established() && !std::exchange(asked, true)) tls.send(as_bytes(request), wire);
    if (!connection.send(wire.view())) return failed(server.address);
    wire.clear();
    const ssize_t got = connection.receive(part);
    if (got < 0) return failed(server.address);
    if (got == 0) break;
    const auto read = tls.receive(ByteView(part).first(static_cast<std::size_t>(got)), plain, wire);
    if (!read && answer.empty()) return read.error();
    if (!read) break;
    answer += as_text(ByteView(plain).first(*read));
  }
  return answer;
}

}  // namespace

Result<net::Response> exchange(const HttpServerAt& server, const net::Request& request) {
  auto connection = Connection::open(server);
  if (!connection) return connection.error();
  const std::string asked = text_of(request);
  const auto text =
      server.tls ? talk(*connection, asked, server) : talk(*connection, asked, server.address);
  if (!text) return text.error();
  if (text->empty()) {
    return Error{Code::unavailable, server.address + " closed the connection without an answer"};
  }
  auto answer = net::read_response(*text);
  if (answer) return answer;
  return Error{Code::unavailable, "what answers at " + server.address +
                                      " does not speak HTTP: " + answer.error().message};
}

}  // namespace gnomon::cli
