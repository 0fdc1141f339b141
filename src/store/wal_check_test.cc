#include "store/wal_check.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "store/rocks.h"
#include "store/temporary_folder.h"

namespace gnomon::store {
namespace {

std::optional<LogDamage> look(const std::string& log) { return find_damage(as_bytes(log)); }

// A log that RocksDB wrote: `batches` with a value of `bytes` each.
std::string real_log(int batches, std::size_t bytes) {
  TemporaryFolder folder;
  const SystemMonotonicClock clock;
  {
    const auto store = open_rocks_store({.folder = folder / "s"}, clock);
    REQUIRE(store.ok());
    for (int i = 0; i < batches; ++i) {
      Batch batch;
      batch.operations = {Put{"key" + std::to_string(i), std::string(bytes, 'v')}};
      REQUIRE((*store)->apply(batch).ok());
    }
  }
  return read_all(find_file(folder / "s", "", ".log"));
}

TEST_CASE("crc32c: the published vectors, by processor and by table") {
  for (const auto crc : {crc32c, crc32c_by_table}) {
    CHECK(crc(as_bytes("123456789")) == 0xE3069283);
    CHECK(crc(as_bytes(std::string(32, '\0'))) == 0x8A9136AA);  // RFC 3720 B.4
    CHECK(crc(as_bytes(std::string(32, '\xFF'))) == 0x62A8AB43);
    CHECK(crc({}) == 0);
  }
  SeededRandom random(1);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    CHECK(crc32c(as_bytes(text)) == crc32c_by_table(as_bytes(text)));
    text += static_cast<char>(random.below(256));
  }
}

TEST_CASE("a log without damage, of small records, large ones and none") {
  CHECK_FALSE(look("").has_value());
  for (const std::size_t bytes : {1, 10, 100, 1000, 40000, 200000}) {
    const std::string log = real_log(bytes < 1000 ? 3000 : 50, bytes);
    REQUIRE(log.size() > 40000);
    CHECK_FALSE(look(log).has_value());
  }
}

TEST_CASE("every flipped bit before the last record is found, and where") {
  for (const std::size_t bytes : {20, 700, 60000}) {
    const std::string log = real_log(bytes == 60000 ? 5 : 300, bytes);
    SeededRandom random(2);
    // The last record may be torn: nothing valid is behind it. A large one ends the log in pieces.
    const std::size_t last = bytes == 60000 ? 70000 : bytes + 60;
    for (int i = 0; i < 300; ++i) {
      const std::size_t at = random.below(log.size() - last);
      std::string damaged = log;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
      const auto found = look(damaged);
      CAPTURE(at);
      REQUIRE(found.has_value());
      CHECK(found->bad <= at);
      CHECK(found->bad + 32 * 1024 > at);
      CHECK(found->good_again > at);
    }
  }
}

TEST_CASE("a torn end is no damage: cut anywhere, or zeros, or garbage without a record") {
  const std::string log = real_log(300, 700);
  SeededRandom random(3);
  for (int i = 0; i < 300; ++i) {
    std::string torn = log.substr(0, random.below(log.size()));
    CHECK_FALSE(look(torn).has_value());
    torn.resize(torn.size() + random.below(100000));
    CHECK_FALSE(look(torn).has_value());
  }
  std::string garbage = log.substr(0, log.size() / 2);
  for (int i = 0; i < 100000; ++i) garbage += static_cast<char>(random.below(256));
  CHECK_FALSE(look(garbage).has_value());
}

TEST_CASE("a page of zeros in the middle is damage") {
  std::string log = real_log(300, 700);
  log.replace(64 * 1024, 4096, 4096, '\0');
  const auto found = look(log);
  REQUIRE(found.has_value());
  CHECK(found->bad <= 64 * 1024);
  CHECK(found->good_again > 64 * 1024);
}

TEST_CASE("arbitrary bytes are read within their bounds") {
  SeededRandom random(4);
  for (int i = 0; i < 40; ++i) {
    std::string text(random.below(70000), '\0');
    for (char& c : text) c = static_cast<char>(random.below(random.below(2) == 0 ? 256 : 6));
    (void)look(text);
  }
}

TEST_CASE("a file that cannot be read is an error, and so is a folder") {
  TemporaryFolder folder;
  CHECK(check_log_file(folder / "none").error().code == Code::unavailable);
  CHECK(check_logs(folder / "none").error().code == Code::unavailable);
  write_all(folder / "000001.log", "");
  CHECK(check_logs(folder.path()).ok());
}

}  // namespace
}  // namespace gnomon::store
