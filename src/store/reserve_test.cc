#include "store/reserve.h"

#include <doctest/doctest.h>

namespace gnomon::store {
namespace {

struct Disk {
  ManualClock clock;
  std::optional<std::uint64_t> free = 1000;
  int asked = 0;
  Reserve reserve{800, clock, [this] {
                    ++asked;
                    return free;
                  }};
  bool accepts_later() {
    clock.advance(std::chrono::milliseconds(100));
    return reserve.accepting();
  }
};

TEST_CASE("no room below the reserve, and again an eighth above it") {
  Disk disk;
  CHECK(disk.reserve.accepting());
  disk.free = 800;
  CHECK(disk.accepts_later());
  disk.free = 799;
  CHECK_FALSE(disk.accepts_later());
  disk.free = 900;
  CHECK_FALSE(disk.accepts_later());
  disk.free = 901;
  CHECK(disk.accepts_later());
  disk.free = 800;
  CHECK(disk.accepts_later());
  disk.free.reset();  // cannot be told: as it was
  CHECK(disk.accepts_later());
}

TEST_CASE("the disk is asked every 100 ms, and after a MiB") {
  Disk disk;
  const auto asks = [&] {
    const int before = disk.asked;
    for (int i = 0; i < 10; ++i) CHECK(disk.reserve.accepting());
    return disk.asked - before;
  };
  asks();
  CHECK(asks() == 0);
  disk.clock.advance(std::chrono::milliseconds(99));
  CHECK(asks() == 0);
  disk.clock.advance(std::chrono::milliseconds(1));
  CHECK(asks() == 1);
  disk.reserve.wrote(1024 * 1024 - 1);
  CHECK(asks() == 0);
  disk.reserve.wrote(1);
  CHECK(asks() == 1);
}

TEST_CASE("without a reserve the disk is not asked") {
  ManualClock clock;
  Reserve reserve(0, clock, [] { return std::optional<std::uint64_t>(0); });
  reserve.wrote(1 << 30);
  CHECK(reserve.accepting());
}

TEST_CASE("the free space of a file system") {
  CHECK(free_space_of("/")().has_value());
  CHECK_FALSE(free_space_of("/no/such/folder")().has_value());
}

}  // namespace
}  // namespace gnomon::store
