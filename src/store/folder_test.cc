#include "store/folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/memory.h"
#include "store/rocks.h"
#include "store/store_contract.h"
#include "store/temporary_folder.h"

namespace gnomon::store {
namespace {

const SystemMonotonicClock real_clock;

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

template <class T>
bool refused(const Result<T>& result, std::string_view text) {
  if (result.ok()) return false;
  const bool found = result.error().message.find(text) != std::string::npos;
  if (!found) MESSAGE(result.error().message);
  return found;
}

std::unique_ptr<Store> open_store(const std::string& folder) {
  auto store = open_rocks_store({.folder = folder}, real_clock);
  REQUIRE(store.ok());
  return std::move(store).value();
}

TEST_CASE("a new folder is the owner's only, locked, and says its format") {
  TemporaryFolder parent;
  const std::string path = parent / "data";
  {
    const auto folder = Folder::open(path + "/");
    REQUIRE(folder.ok());
    CHECK((*folder)->store_path() == path + "/store");
    CHECK(mode_of(path) == 0700);
    CHECK(mode_of(path + "/lock") == 0600);
    CHECK(read_all(path + "/lock") == std::to_string(::getpid()) + "\n");
    CHECK(read_all(path + "/format") == "1\n");

    const auto second = Folder::open(path);
    CHECK(
        refused(second, path + " is in use by the process with pid " + std::to_string(::getpid())));
    CHECK(second.error().code == Code::unavailable);
    write_all(path + "/lock", "not a number\n");
    CHECK(refused(Folder::open(path), "pid unknown"));
  }
  CHECK(Folder::open(path).ok());
  CHECK(Folder::open(path).ok());
}

TEST_CASE("a folder that is there keeps its mode") {
  TemporaryFolder parent;
  const std::string path = parent / "data";
  REQUIRE(::mkdir(path.c_str(), 0755) == 0);
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  set_log_level(LogLevel::off);
  CHECK(Folder::open(path).ok());
  set_log_level(LogLevel::info);
  CHECK(mode_of(path) == 0755);
}

TEST_CASE("what is not a folder is refused") {
  TemporaryFolder parent;
  write_all(parent / "file", "");
  CHECK(refused(Folder::open(parent / "file"), parent / "file is not a folder"));
  CHECK(Folder::open(parent / "no/data").ok());
}

TEST_CASE("a format that is newer, damaged or missing beside a store is refused") {
  TemporaryFolder parent;
  const std::string path = parent / "data", format = path + "/format";
  REQUIRE(Folder::open(path).ok());
  write_all(format, "2\n");
  const auto newer = Folder::open(path);
  CHECK(refused(newer, "has format 2, and this version knows formats up to 1"));
  CHECK(newer.error().code == Code::unsupported);
  for (const char* garbage : {"", "\n", "x\n", "0\n", "-1\n", "1", "1\n\n", "99999999999\n"}) {
    write_all(format, garbage);
    CHECK(refused(Folder::open(path), format));
  }
  std::filesystem::remove(format);
  CHECK(Folder::open(path).ok());
  std::filesystem::remove(format);
  std::filesystem::create_directory(path + "/store");
  CHECK(refused(Folder::open(path), format));
}

TEST_CASE("a backup, taken while the store works, becomes a data folder") {
  TemporaryFolder parent;
  const std::string backup = parent / "backup", data = parent / "again";
  {
    const auto folder = Folder::open(parent / "data");
    REQUIRE(folder.ok());
    const auto store = open_store((*folder)->store_path());
    apply_puts(*store, {Put{"a", "1"}, Put{"b", "2"}});
    std::filesystem::create_directory(backup + ".partial");  // left by an attempt that died
    write_all(backup + ".partial/left", "over");
    REQUIRE(write_backup(*store, backup + "/").ok());
    apply_puts(*store, {Put{"c", "3"}});
    CHECK(refused(write_backup(*store, backup), backup + " exists"));
  }
  CHECK(mode_of(backup) == 0700);
  CHECK_FALSE(std::filesystem::exists(backup + ".partial"));
  CHECK_FALSE(std::filesystem::exists(backup + "/left"));

  SUBCASE("into a folder that does not exist") {}
  SUBCASE("into an empty one") { std::filesystem::create_directory(data); }
  SUBCASE("after an attempt that died") {
    std::filesystem::create_directory(data + ".restoring");
    write_all(data + ".restoring/left", "over");
  }
  REQUIRE(restore(backup, data).ok());
  CHECK(refused(restore(backup, data), data + " exists and is not an empty folder"));
  CHECK_FALSE(std::filesystem::exists(data + ".restoring"));
  CHECK_FALSE(std::filesystem::exists(data + "/left"));
  CHECK(mode_of(data) == 0700);
  const auto folder = Folder::open(data);
  REQUIRE(folder.ok());
  CHECK(all(*open_store((*folder)->store_path())) ==
        std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}});
}

TEST_CASE("what is no backup, or a damaged one, is not restored") {
  TemporaryFolder parent;
  const std::string backup = parent / "backup", data = parent / "data";
  CHECK(refused(restore(backup, data), backup + " is not a backup"));
  {
    const auto store = open_store(parent / "store");
    for (int i = 0; i < 100; ++i)
      apply_puts(*store, {Put{std::to_string(i), std::string(100, 'x')}});
  }
  REQUIRE(write_backup(*open_store(parent / "store"), backup).ok());
  SUBCASE("newer") {
    write_all(backup + "/format", "2\n");
    CHECK(refused(restore(backup, data), "has format 2"));
  }
  SUBCASE("a damaged table") {
    const std::string table = find_file(backup + "/store", "", ".sst");
    std::string text = read_all(table);
    text[text.size() / 4] ^= 1;
    // Not in place: the table of a backup may be the same file as the store's.
    std::filesystem::remove(table);
    write_all(table, text);
    CHECK(refused(restore(backup, data), ".sst"));
  }
  CHECK_FALSE(std::filesystem::exists(data));
  CHECK_FALSE(std::filesystem::exists(data + ".restoring"));
}

TEST_CASE("a store in memory has no backup, and nothing is left of the attempt") {
  TemporaryFolder parent;
  CHECK(write_backup(*make_memory_store(), parent / "b").error().code == Code::unsupported);
  CHECK(std::filesystem::is_empty(parent.path()));
}

}  // namespace
}  // namespace gnomon::store
