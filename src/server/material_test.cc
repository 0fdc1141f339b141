// What first start makes, and what later ones make of it.
#include "server/material.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "base/log.h"
#include "store/durable_file.h"
#include "store/temporary_folder.h"

namespace gnomon::server {
namespace {

using crypto::Certificate;
using crypto::Purpose;
using store::read_all;
using store::TemporaryFolder;
using store::write_all;

constexpr std::chrono::milliseconds day = std::chrono::hours(24), second{1000};
const std::vector<std::string> all_files{"device-ca.key",         "device-ca.pem",
                                         "root-ca.key",           "root-ca.pem",
                                         "server-ca.private.pem", "server.private.pem"};
using Files = std::map<std::string, std::string>;

struct World {
  World() { set_log_level(LogLevel::off); }
  ~World() { set_log_level(LogLevel::info); }
  TemporaryFolder folder;
  SeededRandom random{7};
  ManualWallClock clock;
  std::vector<std::string> names = *server_names("factory", {"iot.example.com", "10.1.2.3"});

  Result<Material> make(const WriteFile& write = {}) {
    return make_material(folder.path(), names, clock.now(), random, write);
  }
  Material made() {
    auto material = make();
    REQUIRE_MESSAGE(material, material.error().message);
    return *material;
  }
  // Fails, naming the file and one word of the remedy; nothing is changed.
  void refused(const std::string& name, std::string_view remedy) {
    const Files before = files();
    const auto material = make();
    REQUIRE_FALSE(material);
    CAPTURE(material.error().message);
    CHECK(material.error().code == Code::unavailable);
    CHECK(material.error().message.starts_with(folder / name));
    CHECK(material.error().message.find(remedy) != std::string::npos);
    CHECK(files() == before);
  }
  [[nodiscard]] Files files() const {
    Files found;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      found[entry.path().filename().string()] = read_all(entry.path().string());
    return found;
  }
  void remove(const std::string& name) { std::filesystem::remove(folder / name); }

  // As a client that trusts root-ca.pem sees it.
  [[nodiscard]] bool good_for(const Material& material, const std::string& host) const {
    const auto root = Certificate::from_pem(read_all(folder / "root-ca.pem"));
    const auto chain = crypto::read_certificates(material.server_chain);
    const auto key = crypto::PrivateKey::from_pem(material.server_key);
    REQUIRE(root);
    REQUIRE(chain);
    REQUIRE(key);
    CHECK(chain->front() == material.server);
    CHECK(key->public_key() == material.server.public_key());
    return crypto::verify(chain->front(), {std::span(*chain).subspan(1), std::span(&*root, 1),
                                           Purpose::tls_server, clock.now(), host})
        .ok();
  }
  void check(const Material& material) const {
    for (const std::string& name : names) {
      CAPTURE(name);
      CHECK(good_for(material, name));
    }
    CHECK_FALSE(good_for(material, "other.example.com"));
  }
};

// The names of the files that differ.
std::set<std::string> changed(const Files& a, const Files& b) {
  std::set<std::string> names;
  for (const auto& [name, text] : b)
    if (!a.contains(name) || a.at(name) != text) names.insert(name);
  for (const auto& [name, text] : a)
    if (!b.contains(name)) names.insert(name);
  return names;
}

TEST_CASE("First start makes everything, for nobody else to read") {
  World w;
  const Material material = w.made();
  w.check(material);
  std::vector<std::string> names;
  for (const auto& [name, text] : w.files()) {
    names.push_back(name);
    struct stat status {};
    REQUIRE(::stat((w.folder / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    const bool secret = name.ends_with(".key") || name.find("private") != std::string::npos;
    CHECK((text.find("PRIVATE KEY") != std::string::npos) == secret);
  }
  CHECK(names == all_files);
  CHECK(material.root_path == w.folder / "root-ca.pem");
  for (const Certificate& one : {material.root, material.server, material.device_ca})
    CHECK(one.public_key().kind() == crypto::KeyKind::ec_p256);
  CHECK(material.root.not_after().ms - w.clock.now().ms > 10 * 365 * day.count());
  CHECK_FALSE(material.device_ca.issued_by(material.root));
  CHECK(material.device_ca.issued_by(material.device_ca));
}

TEST_CASE("Devices are certified by their own authority, which the root does not vouch for") {
  World w;
  const Material material = w.made();
  const auto authority = read_device_authority(w.folder.path());
  REQUIRE(authority);
  const auto device =
      crypto::issue({crypto::Profile::device, "lamp", {}, w.clock.now(), crypto::far_end},
                    crypto::PrivateKey::generate_ec_p256().public_key(), *authority, w.random);
  REQUIRE(device);
  const auto trusted = [&](const Certificate& by) {
    return crypto::verify(*device, {{}, std::span(&by, 1), Purpose::tls_client, w.clock.now(), ""})
        .ok();
  };
  CHECK(trusted(material.device_ca));
  CHECK_FALSE(trusted(material.root));
}

TEST_CASE("Started again it changes nothing") {
  World w;
  const Material first = w.made();
  const Files before = w.files();
  w.clock.advance(second);
  const Material again = w.made();
  CHECK(w.files() == before);
  CHECK(again.server == first.server);
  CHECK(again.renew_at == first.renew_at);
  std::ranges::reverse(w.names);  // their order says nothing
  w.made();
  CHECK(w.files() == before);
}

TEST_CASE("The server's certificate is renewed when two thirds of its life are over") {
  World w;
  const Material first = w.made();
  const Files before = w.files();
  CHECK(first.renew_at == w.clock.now() + 60 * day);
  CHECK(first.server.not_after() == w.clock.now() + 90 * day);
  w.clock.advance(60 * day - second);
  w.made();
  CHECK(w.files() == before);
  w.clock.advance(second);
  const Material renewed = w.made();
  CHECK(changed(before, w.files()) == std::set<std::string>{"server.private.pem"});
  CHECK_FALSE(renewed.server.public_key() == first.server.public_key());
  CHECK(renewed.renew_at == w.clock.now() + 60 * day);
  w.check(renewed);
  // Also after years in which it did not run.
  w.clock.advance(3650 * day);
  w.check(w.made());
}

TEST_CASE("Near the end of its authority a certificate ends with it, and is not renewed for ever") {
  World w;
  w.made();
  w.clock.advance(std::chrono::milliseconds(crypto::far_end.ms - w.clock.now().ms) - 10 * day);
  const Material last = w.made();
  CHECK(last.server.not_after() == crypto::far_end);
  const Files before = w.files();
  w.clock.advance(day);
  w.made();
  CHECK(w.files() == before);
}

TEST_CASE("A clock that is set: back, or right after a first start in 1970") {
  World w;
  w.made();
  w.clock.advance(-2 * day);
  w.check(w.made());
  World old;
  old.clock.advance(std::chrono::milliseconds(-old.clock.now().ms));
  old.made();
  old.clock.advance(std::chrono::milliseconds(1'800'000'000'000));
  const Files before = old.files();
  old.check(old.made());
  CHECK(changed(before, old.files()) == std::set<std::string>{"server.private.pem"});
}

TEST_CASE("Other names: a new server authority and certificate, the same root") {
  World w;
  w.made();
  const Files before = w.files();
  w.names = *server_names("factory", {"mqtt.example.com"});
  const Material material = w.made();
  w.check(material);
  CHECK_FALSE(w.good_for(material, "iot.example.com"));
  CHECK(changed(before, w.files()) ==
        std::set<std::string>{"server-ca.private.pem", "server.private.pem"});
  w.names = *server_names("factory", {"*.example.com"});
  CHECK(w.good_for(w.made(), "a.example.com"));
}

TEST_CASE("The root's key may be kept elsewhere, until names change") {
  World w;
  w.made();
  const std::string key = read_all(w.folder / "root-ca.key");
  w.remove("root-ca.key");
  w.made();
  w.clock.advance(61 * day);
  w.check(w.made());
  w.names.emplace_back("new.example.com");
  w.refused("root-ca.key", "put it back");
  write_all(w.folder / "root-ca.key", key);
  w.check(w.made());
}

TEST_CASE("A root or device certificate that is gone is made anew from its key") {
  World w;
  const Material first = w.made();
  w.remove("root-ca.pem");
  w.remove("device-ca.pem");
  const Material again = w.made();
  w.check(again);
  CHECK(again.server == first.server);
  CHECK(again.root.subject().text == first.root.subject().text);
  CHECK(again.device_ca.public_key() == first.device_ca.public_key());
}

// Makes with a writer that ends after `count` files; the next one is then half written under the
// name that only we use. False: that many were not needed.
bool interrupted(World& w, int count) {
  int left = count;
  const auto material = w.make([&](const std::string& path, std::string_view text) -> Result<void> {
    if (left-- > 0) return store::write_file(path, text);
    write_all(path + ".new", text.substr(0, text.size() / 2));
    return Error{Code::unavailable, "killed"};
  });
  return !material;
}

TEST_CASE("Killed between any two files it goes on, and keeps what was made") {
  int steps = 0;
  for (;; ++steps) {
    World w;
    if (!interrupted(w, steps)) break;
    const Files before = w.files();
    w.check(w.made());
    for (const auto& [name, text] : before)
      if (!name.ends_with(".new")) CHECK(w.files()[name] == text);
    for (const std::string& name : all_files) CHECK(w.files().contains(name));
    CHECK_FALSE(std::ranges::any_of(w.files(),
                                    [](const auto& file) { return file.first.ends_with(".new"); }));
  }
  CHECK(steps == 6);
}

TEST_CASE("Killed while names change or the certificate is renewed it goes on") {
  for (const bool renewal : {false, true}) {
    int steps = 0;
    for (;; ++steps) {
      World w;
      w.made();
      const auto old_names = w.names;
      if (renewal) w.clock.advance(70 * day);
      if (!renewal) w.names.emplace_back("new.example.com");
      if (!interrupted(w, steps)) break;
      // What is there holds as it is, as far as a server that is told nothing new sees it.
      const Files before = w.files();
      const auto new_names = std::exchange(w.names, old_names);
      w.check(w.made());
      w.names = new_names;
      w.check(w.made());
      CHECK(w.files()["root-ca.pem"] == before.at("root-ca.pem"));
      CHECK(w.files()["device-ca.pem"] == before.at("device-ca.pem"));
    }
    CHECK(steps == (renewal ? 1 : 2));
  }
}

TEST_CASE("A file that is damaged is refused by name, with the remedy, and stays") {
  for (const std::string& name : all_files) {
    const std::string_view remedy =
        name.starts_with("root") || name.starts_with("device") ? "put back" : "made anew";
    CAPTURE(name);
    World w;
    w.made();
    const std::string text = read_all(w.folder / name);
    std::string flipped = text;
    flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
    for (const std::string& bad :
         {std::string(), std::string("x"), text.substr(0, text.size() - 30), flipped,
          std::string(300'000, 'x')}) {
      write_all(w.folder / name, bad);
      w.refused(name, remedy);
    }
    write_all(w.folder / name, text);
    w.made();
    std::filesystem::remove(w.folder / name);
    std::filesystem::create_directory(w.folder / name);
    CHECK(w.make().error().message.starts_with(w.folder / name));
  }
}

TEST_CASE("Files of another server, one by one, are refused") {
  World w, other;
  w.made();
  other.made();
  const Files mine = w.files();
  // Of a certificate and its key in two files the key is named.
  const Files named{{"device-ca.key", "device-ca.key"},
                    {"device-ca.pem", "device-ca.key"},
                    {"root-ca.key", "root-ca.key"},
                    {"root-ca.pem", "root-ca.key"},
                    {"server-ca.private.pem", "server-ca.private.pem"},
                    {"server.private.pem", "server.private.pem"}};
  for (const auto& [name, blamed] : named) {
    CAPTURE(name);
    write_all(w.folder / name, other.files()[name]);
    w.refused(blamed, "remove");
    write_all(w.folder / name, mine.at(name));
  }
  w.made();
  CHECK(w.files() == mine);
}

TEST_CASE("A certificate that a user has put there is not overwritten, whatever its time") {
  World w;
  w.made();
  const auto key = crypto::PrivateKey::generate_ec_p256();
  const auto mine = crypto::self_sign(
      {crypto::Profile::server, "mine", w.names, {0}, w.clock.now() + day}, key, w.random);
  write_all(w.folder / "server.private.pem", key.to_pem() + mine->to_pem());
  w.refused("server.private.pem", "made anew");
  w.names.emplace_back("new.example.com");
  w.refused("server.private.pem", "made anew");
}

TEST_CASE("A root that is gone with its key is not replaced behind what it has signed") {
  World w;
  w.made();
  w.remove("root-ca.pem");
  w.remove("root-ca.key");
  w.refused("root-ca.pem", "new root");
  w.remove("server-ca.private.pem");
  w.refused("root-ca.pem", "new root");
  w.remove("server.private.pem");
  w.check(w.made());
}

TEST_CASE("A key behind a link that leads nowhere is not taken for a missing one") {
  World w;
  std::filesystem::create_symlink("/nowhere/root-ca.key", w.folder / "root-ca.key");
  const auto material = w.make();
  REQUIRE_FALSE(material);
  CHECK(material.error().message.starts_with(w.folder / "root-ca.key"));
  CHECK(std::filesystem::is_symlink(w.folder / "root-ca.key"));
}

TEST_CASE("The authority for devices: what is missing is said") {
  World w;
  const auto message = [&] {
    const auto authority = read_device_authority(w.folder.path());
    return authority ? "" : authority.error().message;
  };
  CHECK(message().find("gnomon serve") != std::string::npos);
  CHECK(read_root(w.folder.path()).error().code == Code::not_found);
  w.made();
  CHECK(message().empty());
  CHECK(read_root(w.folder.path()).value() == read_all(w.folder / "root-ca.pem"));
  w.remove("device-ca.key");
  CHECK(message().find("device-ca.key: it is gone") != std::string::npos);
  w.made();  // the server itself needs it for nothing
}

TEST_CASE("Names: our own, the host's if it is one, the user's, each once") {
  using Names = std::vector<std::string>;
  CHECK(*server_names("Factory", {}) == Names{"127.0.0.1", "::1", "factory", "localhost"});
  CHECK(*server_names("not a name", {}) == Names{"127.0.0.1", "::1", "localhost"});
  CHECK(*server_names("localhost", {"LOCALHOST", "a.test", "a.test."}) ==
        Names{"127.0.0.1", "::1", "a.test", "localhost"});
  CHECK(server_names("x", {"a b"}).error().message.find("\"a b\"") != std::string::npos);
  Names many;
  for (int i = 0; i < 100; ++i) many.push_back("n" + std::to_string(i));
  CHECK(server_names("x", many).error().code == Code::invalid);
}

}  // namespace
}  // namespace gnomon::server
