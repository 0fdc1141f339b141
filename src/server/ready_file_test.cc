// The ready file: of a server that runs, of one that was killed, damaged.
#include "server/ready_file.h"

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "server/server.h"
#include "store/folder.h"
#include "store/temporary_folder.h"

namespace gnomon::server {
namespace {

std::string line_of(int pid) {
  Config config;
  config.region = "eu-west-1";
  return ready_line({"127.0.0.1:1883", {}, "127.0.0.1:4566", {}, {"0.0.0.0:443", "[::]:8443"}},
                    config, "/d/root-ca.pem", pid, 12);
}

TEST_CASE("who runs on a folder is found there, and what it says") {
  const store::TemporaryFolder parent;
  const std::string data = parent / "data";
  CHECK(find_server(data).error().code == Code::not_found);
  const auto folder = store::Folder::open(data);
  REQUIRE(folder);
  CHECK(find_server(data).error().code == Code::not_found);  // not ready yet

  REQUIRE(write_ready_file(data, line_of(::getpid())));
  struct stat status {};
  REQUIRE(::stat((data + "/ready.json").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto server = find_server(data);
  REQUIRE_MESSAGE(server, server.error().message);
  CHECK(server->mqtt == "127.0.0.1:1883");
  CHECK_FALSE(server->mqtts);
  CHECK_FALSE(server->admin);
  CHECK(server->http == "127.0.0.1:4566");
  CHECK(server->https == std::vector<std::string>{"0.0.0.0:443", "[::]:8443"});
  CHECK(server->ca == "/d/root-ca.pem");
  CHECK(server->account == "123456789012");
  CHECK(server->region == "eu-west-1");
  CHECK(server->pid == ::getpid());

  remove_ready_file(data);
  CHECK(find_server(data).error().code == Code::not_found);
  CHECK_FALSE(std::filesystem::exists(data + "/ready.json"));
}

TEST_CASE("what a server left that was killed is nobody's") {
  const store::TemporaryFolder parent;
  const std::string data = parent / "data";
  REQUIRE(store::Folder::open(data));
  REQUIRE(write_ready_file(data, line_of(::getpid())));
  CHECK(store::holder(data) == std::nullopt);
  CHECK(find_server(data).error().code == Code::not_found);

  // Another one is starting on the folder.
  const auto folder = store::Folder::open(data);
  REQUIRE(folder);
  CHECK(store::holder(data) == ::getpid());
  REQUIRE(write_ready_file(data, line_of(::getpid() + 1)));
  CHECK(find_server(data).error().code == Code::not_found);
}

TEST_CASE("a damaged file says so") {
  const store::TemporaryFolder data;
  for (const std::string text : {"", "{", "[]", "{}", R"({"pid":"1"})", R"({"pid":1.5})"}) {
    store::write_all(data / "ready.json", text);
    const auto server = find_server(data.path());
    REQUIRE_FALSE(server);
    CHECK(server.error().code == Code::unavailable);
    CHECK(server.error().message.find("ready.json") != std::string::npos);
  }
}

}  // namespace
}  // namespace gnomon::server
