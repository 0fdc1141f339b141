#include "cli/admin_client.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "runtime/loop.h"

namespace gnomon::cli {

namespace {

Error failed(const std::string& address) {
  return {Code::unavailable, "cannot talk to " + address + ": " + std::strerror(errno)};
}

// A connected socket.
Result<int> connect_to(const std::string& text) {
  const auto address = runtime::parse_address(text);
  if (!address) return address.error();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address->port);
  if (const int error = getaddrinfo(address->host.c_str(), port.c_str(), &hints, &found)) {
    return Error{Code::invalid, text + ": " + gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int socket = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    if (::connect(socket, each->ai_addr, each->ai_addrlen) == 0) return socket;
    const int why = errno;
    ::close(socket);
    errno = why;
  }
  const bool nobody = errno == ECONNREFUSED;
  return Error{nobody ? Code::not_found : Code::unavailable, failed(text).message};
}

// Sends all, then reads until the other end closes.
Result<std::string> exchange(int socket, std::string_view request, const std::string& address) {
  while (!request.empty()) {
    const ssize_t sent = ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return failed(address);
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  constexpr std::size_t answer_bytes_max = 64 * MiB;
  std::string answer;
  char part[16 * 1024];
  while (answer.size() < answer_bytes_max) {
    const ssize_t got = ::recv(socket, part, sizeof part, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(address);
    if (got == 0) break;
    answer.append(part, static_cast<std::size_t>(got));
  }
  return answer;
}

}  // namespace

Result<AdminAnswer> ask(const std::string& address, const std::string& method,
                        const std::string& target) {
  const auto socket = connect_to(address);
  if (!socket) return socket.error();
  const auto text = exchange(*socket,
                             method + " " + target + " HTTP/1.1\r\nHost: " + address +
                                 "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                             address);
  ::close(*socket);
  if (!text) return text.error();
  if (text->empty()) {
    return Error{Code::unavailable, address + " closed the connection without an answer"};
  }
  AdminAnswer answer;
  constexpr std::string_view begin = "HTTP/1.1 ";
  const std::size_t head = text->find("\r\n\r\n");
  const char* const digits = text->data() + begin.size();
  if (!text->starts_with(begin) || head == std::string::npos ||
      std::from_chars(digits, text->data() + head, answer.status).ec != std::errc()) {
    return Error{Code::unavailable, "what answers at " + address + " does not speak HTTP"};
  }
  answer.text = text->substr(head + 4);
  return answer;
}

std::string encoded(const std::string& text) {
  constexpr std::string_view plain = "-._~/";
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || plain.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    (out += '%') += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

WallTime read_wall_time(std::string_view digits) {
  WallTime at;
  for (const char c : digits) at.ms = at.ms * 10 + (c - '0');
  return at;
}

}  // namespace gnomon::cli
