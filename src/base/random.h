// Random numbers as an interface, so that a test can repeat a run.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gnomon {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;
  std::uint64_t next();                      // uniform over 64 bits
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound); bound > 0
  std::string hex(std::size_t digits);       // lower-case hexadecimal, for identifiers
};

// The kernel's generator (getrandom): fit for keys. Any thread; aborts if the kernel has none.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

// Repeatable (splitmix64). For tests and load only. One thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::uint64_t state_;
};

}  // namespace gnomon
