// The packets of testdata/*.test: decoded whole, in pieces, cut short and damaged.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mqtt/connection.h"
#include "mqtt/test_support.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

using testing::feed;
using testing::show;

// One block of a data file; testdata/README says what the lines mean.
struct Case {
  std::string where;
  Role role = Role::server;
  bool is_new = false;
  Version version = Version::v5;
  bool authenticates = false;
  std::string bytes;
  std::size_t packets = 0;
  std::vector<std::string> events;
  std::string out;
};

std::string varint(std::size_t value) {
  Buffer bytes;
  wire::put_varint(bytes, static_cast<std::uint32_t>(value));
  return std::string(as_text(bytes.view()));
}

// "30 RL s"a/b" [ 01 01 ] "hi"": see testdata/README.
std::string parse_bytes(std::string_view line) {
  std::string head;
  std::string bytes;
  std::string outer;  // what stands before an open bracket
  bool has_length = false;
  for (std::size_t at = 0; at < line.size();) {
    const char c = line[at];
    const bool is_string = line.substr(at, 2) == "s\"";
    if (c == ' ') {
      ++at;
    } else if (c == '[') {
      outer = std::exchange(bytes, "");
      ++at;
    } else if (c == ']') {
      bytes = outer + varint(bytes.size()) + bytes;
      ++at;
    } else if (c == '"' || is_string) {
      at += is_string ? 2 : 1;
      const std::size_t end = line.find('"', at);
      REQUIRE(end != std::string_view::npos);
      const std::string_view text = line.substr(at, end - at);
      if (is_string) {
        bytes += static_cast<char>(text.size() >> 8);
        bytes += static_cast<char>(text.size());
      }
      bytes += text;
      at = end + 1;
    } else if (line.substr(at, 2) == "RL") {
      head = std::exchange(bytes, "");
      has_length = true;
      at += 2;
    } else {
      bytes += static_cast<char>(std::stoi(std::string(line.substr(at, 2)), nullptr, 16));
      at += 2;
    }
  }
  return has_length ? head + varint(bytes.size()) + bytes : bytes;
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string line;
  bool open = false;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) open = false;
    if (line.empty() || line[0] == '#') continue;
    if (!open) {
      cases.emplace_back().where = path.filename().string() + ":" + std::to_string(number);
      open = true;
    }
    Case& test = cases.back();
    std::istringstream words(line);
    std::string key;
    words >> key;
    std::string rest;
    std::getline(words >> std::ws, rest);
    if (key == "as") {
      test.role = rest.starts_with("client") ? Role::client : Role::server;
      test.is_new = rest.find("new") != std::string::npos;
      test.authenticates = rest.find("auth") != std::string::npos;
      test.version = static_cast<Version>(rest.back() - '0');
    } else if (key == "in") {
      test.bytes += parse_bytes(rest);
      ++test.packets;
    } else if (key == "event") {
      test.events.push_back(rest);
    } else if (key == "out") {
      test.out += parse_bytes(rest);
    } else {
      FAIL("unknown line " << test.where << ": " << line);
    }
  }
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator("testdata"))
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths)
    for (Case& test : read_cases(path)) cases.push_back(std::move(test));
  REQUIRE(cases.size() > 100);
  return cases;
}

const Settings settings;

Connection start(const Case& test) {
  Connect connect;
  connect.version = test.version;
  if (test.authenticates) connect.authentication_method = "GS2";
  if (!test.is_new) return testing::established(test.role, test.version, settings, connect);
  Connection connection(test.role, settings);
  Buffer ignored;
  if (test.role == Role::client) connection.connect(connect, ignored);
  return connection;
}

struct Outcome {
  std::vector<std::string> events;
  std::string out;
  bool operator==(const Outcome&) const = default;
};

// Runs the bytes in pieces that end at `ends`.
Outcome run(const Case& test, std::string_view bytes, const std::vector<std::size_t>& ends) {
  Connection connection = start(test);
  Outcome outcome;
  Buffer out;
  Incoming incoming;
  std::size_t from = 0;
  for (const std::size_t end : ends) {
    const Event last =
        feed(connection, as_bytes(bytes.substr(from, end - from)), incoming, out, outcome.events);
    // Nothing is held but the bytes of an unfinished packet.
    if (last != Event::refused) CHECK(connection.kept() <= end);
    from = end;
  }
  outcome.out = as_text(out.view());
  return outcome;
}

std::string spell(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += testing::hex(static_cast<unsigned char>(c)).substr(2) + " ";
  return text;
}

TEST_CASE("every packet of testdata decodes, or is refused, as its file says") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.where);
    const Outcome outcome = run(test, test.bytes, {test.bytes.size()});
    CHECK(outcome.events == test.events);
    // A server's CONNACK to a good CONNECT is not the decoder's answer.
    if (!test.out.empty()) CHECK(spell(outcome.out) == spell(test.out));
  }
}

TEST_CASE("a packet that comes in pieces gives what it gives whole") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.where);
    const std::size_t size = test.bytes.size();
    const Outcome whole = run(test, test.bytes, {size});
    std::vector<std::size_t> each;
    for (std::size_t at = 1; at <= size; ++at) each.push_back(at);
    CHECK(run(test, test.bytes, each) == whole);
    for (std::size_t at = 1; at < size; ++at)
      if (run(test, test.bytes, {at, size}) != whole) FAIL_CHECK("split at " << at);
  }
}

TEST_CASE("a packet cut short waits for the rest") {
  for (const Case& test : all_cases()) {
    CAPTURE(test.where);
    for (std::size_t size = 0; size < test.bytes.size(); ++size) {
      const Outcome outcome = run(test, std::string_view(test.bytes).substr(0, size), {size});
      REQUIRE(outcome.events.size() <= test.events.size());
      CHECK(std::equal(outcome.events.begin(), outcome.events.end(), test.events.begin()));
    }
  }
}

// hostile-input rows 3 and 4: each body cut at each byte, its length saying so.
TEST_CASE("a body cut at any byte never reads behind its end") {
  int refused = 0;
  for (const Case& test : all_cases()) {
    if (test.packets != 1 || test.bytes.size() < 2) continue;
    std::uint32_t length = 0;
    std::size_t head = 0;
    const ByteView bytes = as_bytes(test.bytes);
    if (wire::load_varint(&bytes[1], bytes.size() - 1, length, head) != wire::Varint::good ||
        1 + head + length != bytes.size())
      continue;
    for (std::size_t size = 0; size < length; ++size) {
      const std::string cut =
          test.bytes.substr(0, 1) + varint(size) + test.bytes.substr(1 + head, size);
      const Outcome outcome = run(test, cut, {cut.size()});
      CHECK(outcome.events.size() == 1);
      if (outcome.events[0].starts_with("refused")) ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a packet with any byte damaged gives one answer") {
  for (const Case& test : all_cases()) {
    for (std::size_t at = 0; at < test.bytes.size(); ++at) {
      for (const unsigned flip : {0x01u, 0x80u, 0xFFu, 0x10u}) {
        std::string damaged = test.bytes;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
        const Outcome whole = run(test, damaged, {damaged.size()});
        if (run(test, damaged, {damaged.size() / 2, damaged.size()}) != whole)
          FAIL_CHECK(test.where << " byte " << at << " flipped by " << flip);
      }
    }
  }
}

}  // namespace
}  // namespace gnomon::mqtt
