#include "cli/notify.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace gnomon::cli {

TEST_CASE("the manager hears what a service tells") {
  unsetenv("NOTIFY_SOCKET");
  CHECK(notify_manager("READY=1"));  // nobody wants to hear
  const std::string name = "@gnomon-notify-test-" + std::to_string(getpid());
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  REQUIRE(bind(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  CHECK(notify_manager("READY=1"));
  char text[64];
  const ssize_t got = recv(socket, text, sizeof text, MSG_DONTWAIT);
  REQUIRE(got == 7);
  CHECK(std::string(text, 7) == "READY=1");
  close(socket);
  CHECK(!notify_manager("STOPPING=1"));
  setenv("NOTIFY_SOCKET", "relative", 1);
  CHECK(!notify_manager("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}

TEST_CASE("a service that reloads says since when") {
  CHECK(reloading_state(Instant{7'000'999}) == "RELOADING=1\nMONOTONIC_USEC=7000");
}

}  // namespace gnomon::cli
