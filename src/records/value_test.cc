#include "records/value.h"

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::records {
namespace {

enum class Colour : std::uint8_t { red, green, blue };

struct Part {
  std::string name;
  std::uint64_t number = 0;
  static void fields(auto& record, auto& archive) { archive(record.name, record.number); }
  bool operator==(const Part&) const = default;
};

struct Record {
  std::uint64_t number = 0;
  bool flag = false;
  Colour colour = Colour::red;
  WallTime at;
  std::string text;
  std::optional<std::string> maybe;
  std::vector<Part> parts;
  std::map<std::string, std::string> map;
  static void fields(auto& record, auto& archive) {
    archive(record.number, record.flag, record.colour, record.at, record.text, record.maybe,
            record.parts, record.map);
  }
  bool operator==(const Record&) const = default;
};

std::string random_text(Random& random) {
  std::string text(random.below(200), '\0');
  for (char& c : text) c = static_cast<char>(random.below(256));
  return text;
}

Record random_record(Random& random) {
  const auto number = [&] { return random.next() >> random.below(64); };
  Record record;
  record.number = number();
  record.flag = random.below(2) == 0;
  record.colour = static_cast<Colour>(random.below(3));
  record.at.ms = static_cast<std::int64_t>(number());
  record.text = random_text(random);
  if (random.below(2) == 0) record.maybe = random_text(random);
  for (std::uint64_t n = random.below(4); n > 0; --n)
    record.parts.push_back({random_text(random), number()});
  for (std::uint64_t n = random.below(4); n > 0; --n)
    record.map.emplace(random_text(random), random_text(random));
  return record;
}

TEST_CASE("values of version 1, byte for byte: they are on disk for ever") {
  using namespace std::string_view_literals;
  const Record record{300, true, Colour::blue, {7}, "ab", "c", {{"d", 1}}, {{"e", "f"}}};
  CHECK(write(record) == "\1\xAC\2\1\2\7\2ab\1\1c\1\1d\1\1\1e\1f"sv);
  CHECK(write(Record{}) == "\1\0\0\0\0\0\0\0\0"sv);
}

TEST_CASE("property: records come back, and one that is cut, longer or newer is seen") {
  SeededRandom random(4);
  for (int i = 0; i < 300; ++i) {
    const Record record = random_record(random);
    std::string value = write(record);
    Record again;
    CHECK(read(value, again));
    CHECK(again == record);
    for (std::size_t size = 0; size < value.size(); size += 1 + random.below(9))
      CHECK_FALSE(read(std::string_view(value).substr(0, size), again));
    CHECK_FALSE(read(value + '\0', again));
    value[0] = 2;
    CHECK_FALSE(read(value, again));
    value[0] = 0;
    CHECK_FALSE(read(value, again));
  }
}

TEST_CASE("property: bytes of all kinds do no harm") {
  SeededRandom random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string value = i % 2 == 0 ? random_text(random) : write(random_record(random));
    if (!value.empty()) value[0] = 1;
    for (std::uint64_t n = random.below(4); n > 0 && !value.empty(); --n)
      value[random.below(value.size())] = static_cast<char>(random.below(256));
    Record record;
    if (read(value, record)) CHECK(write(record).size() <= value.size());
  }
}

}  // namespace
}  // namespace gnomon::records
