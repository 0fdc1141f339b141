// The secrets of a folder: made once, found again, given from outside, damaged.
#include "server/secrets.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "base/log.h"
#include "store/durable_file.h"
#include "store/temporary_folder.h"

namespace gnomon::server {
namespace {

using store::read_all;
using store::TemporaryFolder;
using store::write_all;

struct World {
  World() { set_log_level(LogLevel::off); }
  ~World() { set_log_level(LogLevel::info); }
  TemporaryFolder folder;
  SeededRandom random{7};
  std::map<std::string, std::string> environment;
  std::string elsewhere;

  [[nodiscard]] Variables variables() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto at = environment.find(name);
      return at == environment.end() ? std::nullopt : std::optional(at->second);
    };
  }
  Result<Secrets> make(const WriteFile& write = {}) {
    return make_secrets(folder.path(), elsewhere, variables(), random, write);
  }
  Secrets made() {
    auto secrets = make();
    REQUIRE_MESSAGE(secrets, secrets.error().message);
    return *secrets;
  }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(folder / name);
  }
  // Fails, and the message holds all of `parts`.
  void refused(Code code, const std::vector<std::string>& parts) {
    const auto secrets = make();
    REQUIRE_FALSE(secrets);
    CHECK(secrets.error().code == code);
    CAPTURE(secrets.error().message);
    for (const std::string& part : parts)
      CHECK(secrets.error().message.find(part) != std::string::npos);
  }
};

bool same(const Secrets& a, const Secrets& b) {
  return a.access_key_id == b.access_key_id && a.secret == b.secret && a.master_key == b.master_key;
}

TEST_CASE("secrets: made in the form of AWS's, for their owner only, and found again") {
  World world;
  const Secrets secrets = world.made();
  CHECK(secrets.access_key_id.size() == 20);
  CHECK(secrets.access_key_id.starts_with("AKIA"));
  CHECK(secrets.access_key_id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") ==
        std::string::npos);
  CHECK(secrets.secret.size() == 40);
  CHECK(read_all(world.folder / "access-key.json") ==
        R"({"AccessKeyId":")" + secrets.access_key_id + R"(","SecretAccessKey":")" +
            secrets.secret + "\"}\n");
  CHECK(read_all(world.folder / "master.key") == as_text(secrets.master_key));
  for (const char* name : {"access-key.json", "master.key"}) {
    struct stat status {};
    REQUIRE(::stat((world.folder / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
  }
  CHECK(same(world.made(), secrets));
  const auto read = read_access_key(world.folder.path(), world.variables());
  REQUIRE(read);
  CHECK(read->secret == secrets.secret);
}

TEST_CASE("secrets: a start that was interrupted goes on with what it has made") {
  World world;
  int left = 1;
  const auto failing = [&](const std::string& path, std::string_view text) -> Result<void> {
    if (left-- == 0) return Error{Code::unavailable, "the disk is full"};
    return store::write_file(path, text);
  };
  const auto failed = world.make(failing);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message == "the disk is full");
  const std::string master = read_all(world.folder / "master.key");
  CHECK_FALSE(world.has("access-key.json"));
  CHECK(as_text(world.made().master_key) == master);
}

TEST_CASE("secrets: a pair in the environment wins, and no file is read or made for it") {
  World world;
  world.environment = {{access_key_id_variable, "test"}, {secret_access_key_variable, "secret"}};
  CHECK(world.made().access_key_id == "test");
  CHECK_FALSE(world.has("access-key.json"));
  write_all(world.folder / "access-key.json", "damaged");
  CHECK(world.made().secret == "secret");
  world.environment[access_key_id_variable] = "";
  world.refused(Code::invalid, {"only one of them", access_key_id_variable});
  world.environment[access_key_id_variable] = "no/slash";
  world.refused(Code::invalid, {"the access key id must be"});
  world.environment = {{access_key_id_variable, "test"}, {secret_access_key_variable, "a b"}};
  world.refused(Code::invalid, {"the secret access key must be"});
  world.environment = {{access_key_id_variable, ""}, {secret_access_key_variable, ""}};
  world.refused(Code::unavailable, {"access-key.json"});
}

TEST_CASE("secrets: a damaged access key is told with its file and the remedy, and stays") {
  World world;
  for (const char* text : {"", "{", "[]", "{}", R"({"AccessKeyId":"AKIA"})",
                           R"({"AccessKeyId":1,"SecretAccessKey":2})",
                           R"({"AccessKeyId":"A B","SecretAccessKey":"x"})"}) {
    CAPTURE(text);
    write_all(world.folder / "access-key.json", text);
    world.refused(Code::unavailable, {world.folder / "access-key.json", "remove it"});
    CHECK(read_all(world.folder / "access-key.json") == text);
  }
}

TEST_CASE("secrets: the master key has 32 bytes, and one that is set elsewhere is never made") {
  World world;
  for (const std::size_t size : {0U, 31U, 33U}) {
    write_all(world.folder / "master.key", std::string(size, 'k'));
    world.refused(Code::unavailable, {world.folder / "master.key", "32 bytes", "put back"});
    CHECK_FALSE(world.has("access-key.json"));
  }
  std::filesystem::remove(world.folder / "master.key");
  world.elsewhere = world.folder / "other";
  world.refused(Code::unavailable, {world.elsewhere, "secrets.master_key"});
  CHECK_FALSE(world.has("other"));
  write_all(world.elsewhere, std::string(32, 'k'));
  CHECK(as_text(world.made().master_key) == std::string(32, 'k'));
  CHECK_FALSE(world.has("master.key"));
}

TEST_CASE("secrets: who reads an access key that nobody has made is told what makes it") {
  const World world;
  const auto key = read_access_key(world.folder.path(), world.variables());
  REQUIRE_FALSE(key);
  CHECK(key.error().code == Code::not_found);
  CHECK(key.error().message.find("gnomon serve") != std::string::npos);
  CHECK_FALSE(world.has("access-key.json"));
}

}  // namespace
}  // namespace gnomon::server
