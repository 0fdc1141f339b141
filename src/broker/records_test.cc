#include "broker/records.h"

#include <string>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::broker::records {
namespace {

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

// The same, as it is written below.
std::string packed(std::string spaced) {
  std::erase(spaced, ' ');
  return spaced;
}

// ---- keys

TEST_CASE("keys of version 1, byte for byte: they are on disk for ever") {
  const SlotId slot(0x2A);
  CHECK(hex(prefix(Table::queue, slot)) == "04002a");
  CHECK(hex(key(Table::session, slot, "ab")) == "02002a6162");
  CHECK(hex(key(Table::forward, slot, 0x0102030405060708)) == "07002a0102030405060708");
  CHECK(hex(key(Table::queue, slot, 1, 0x100)) == "04002a00000000000000010000000000000100");
  CHECK(hex(key(Table::subscription, slot, 2, "a/#")) == "03002a0000000000000002612f23");
  CHECK(hex(key(Table::meta, SlotId(0), "run")) == "00000072756e");
  // Their order is part of it too.
  CHECK(static_cast<int>(Table::will) == 1);
  CHECK(static_cast<int>(Table::body) == 5);
  CHECK(static_cast<int>(Table::received) == 6);
  CHECK(static_cast<int>(Table::mark) == 8);
  CHECK(static_cast<int>(Table::retained) == 9);
  CHECK(static_cast<int>(Table::group) == 10);
  CHECK(static_cast<int>(Table::share) == 11);
  CHECK(static_cast<int>(Table::hand) == 12);
  CHECK(static_cast<int>(Table::presence) == 13);
}

TEST_CASE("keys sort as their numbers do") {
  SeededRandom random(1);
  const auto any = [&] { return random.next() >> random.below(64); };
  const SlotId slot(7);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t a = any(), b = any(), c = any();
    CHECK((a < b) == (key(Table::queue, slot, a) < key(Table::queue, slot, b)));
    CHECK((a < b) == (key(Table::queue, slot, c, a) < key(Table::queue, slot, c, b)));
    if (a != b) CHECK((a < b) == (key(Table::queue, slot, a, c) < key(Table::queue, slot, b, c)));
  }
}

TEST_CASE("a key's parts are found in it again") {
  const std::string made = key(Table::queue, SlotId(9), 17, 0xFFFF'FFFF'FFFF'FFFE);
  std::string_view left = rest(made);
  CHECK(take_number(left) == 17);
  CHECK(take_number(left) == 0xFFFF'FFFF'FFFF'FFFE);
  CHECK(left.empty());
  CHECK(take_number(left) == 0);
  left = "short";
  CHECK(take_number(left) == 0);
  CHECK(left == "short");
  CHECK(rest("ab").empty());
  CHECK(rest(key(Table::session, SlotId(1), "lamp")) == "lamp");
}

TEST_CASE("behind: above all that begin so, and below everything else") {
  CHECK(behind("ab") == "ac");
  CHECK(behind(std::string("a\xFF")) == "b");
  CHECK(behind(std::string("\x01\x00\xFF", 3)) == std::string("\x01\x01", 2));
  CHECK(behind(std::string("\xFF\xFF")).empty());
  SeededRandom random(2);
  // Few bytes, so that prefixes and the highest byte are met often.
  const auto any = [&] {
    std::string text;
    for (auto n = random.below(4); n > 0; --n) text += "\x00\x01\xFE\xFF"[random.below(4)];
    return text;
  };
  for (int i = 0; i < 5000; ++i) {
    const std::string begin = 'k' + any(), other = 'k' + any();
    const bool within = begin <= other && other < behind(begin);
    CHECK(within == other.starts_with(begin));
  }
}

// ---- values

// What is cut short is refused, or is another value that writes itself again.
template <class Record>
void check_truncations(const std::string& value, std::size_t fixed) {
  for (std::size_t size = 0; size < value.size(); ++size) {
    Record record;
    const std::string cut = value.substr(0, size);
    const bool good = record.read(cut);
    if (size < fixed) CHECK_FALSE(good);
    if (good) CHECK(record.write() == cut);
  }
  Record record;
  std::string newer = value;
  newer[0] = 2;
  CHECK_FALSE(record.read(newer));
}

TEST_CASE("Presence: round trip and bytes") {
  Presence presence;
  presence.version = 0x0102;
  presence.session = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  presence.principal = "P";
  const std::string value = presence.write();
  CHECK(hex(value) == packed("01 0201000000000000 0102030405060708090a0b0c0d0e0f10 50"));
  Presence again;
  REQUIRE(again.read(value));
  CHECK(again.version == 0x0102);
  CHECK(again.session == presence.session);
  CHECK(again.principal == "P");
  check_truncations<Presence>(value, value.size() - 1);
}

TEST_CASE("Will: round trip and bytes") {
  Will will;
  will.generation = 0x0102;
  will.delay_seconds = 3;
  will.expiry_seconds = 4;
  will.due = {5};
  will.message = "M";
  const std::string value = will.write();
  CHECK(hex(value) == packed("01 0201000000000000 03000000 01 04000000 0500000000000000 4d"));
  Will again;
  again.grace = true;  // is not kept
  REQUIRE(again.read(value));
  CHECK(again.generation == 0x0102);
  CHECK(again.delay_seconds == 3);
  CHECK(again.expiry_seconds == 4);
  CHECK(again.due.ms == 5);
  CHECK(again.message == "M");
  check_truncations<Will>(value, value.size());
  will.expiry_seconds.reset();
  CHECK(hex(will.write()) ==
        packed("01 0201000000000000 03000000 00 00000000 0500000000000000 4d"));
  REQUIRE(again.read(will.write()));
  CHECK_FALSE(again.expiry_seconds.has_value());
}

TEST_CASE("Session: round trip and bytes") {
  const Session session{0x0A0B, 60, {-1}, 7};
  const std::string value = session.write();
  CHECK(hex(value) == packed("01 0b0a000000000000 3c000000 ffffffffffffffff 0700000000000000"));
  Session again;
  REQUIRE(again.read(value));
  CHECK(again.number == 0x0A0B);
  CHECK(again.expiry_seconds == 60);
  CHECK(again.gone.ms == -1);
  CHECK(again.sent_to == 7);
  check_truncations<Session>(value, value.size());
  CHECK_FALSE(again.read(value + "x"));
  CHECK_FALSE(again.read(Session{}.write()));  // no session has the number 0
}

TEST_CASE("Subscription: every option, round trip and bytes") {
  topic::Options options;
  options.qos = 2;
  options.no_local = true;
  options.retain_as_published = false;
  options.retain_handling = 2;
  options.identifier = 0x0FFF'FFFF;
  const std::string value = Subscription{options}.write();
  CHECK(hex(value) == packed("01 26 ffffff0f"));
  check_truncations<Subscription>(value, value.size());
  for (unsigned bits = 0; bits < 64; ++bits) {
    topic::Options each;
    each.qos = bits & 3U;
    each.no_local = (bits & 4U) != 0;
    each.retain_as_published = (bits & 8U) != 0;
    each.retain_handling = bits >> 4U & 3U;
    each.identifier = bits * 1000;
    Subscription again;
    REQUIRE(again.read(Subscription{each}.write()));
    const topic::Options& read = again.options;
    const bool same = read.qos == each.qos && read.no_local == each.no_local &&
                      read.retain_as_published == each.retain_as_published &&
                      read.retain_handling == each.retain_handling;
    CHECK(same);
    CHECK(read.identifier == each.identifier);
  }
  Subscription again;
  CHECK_FALSE(again.read(value + "x"));
}

TEST_CASE("Entry: round trip and bytes, inline, shared and released") {
  Entry entry;
  entry.qos = 1;
  entry.retain = true;
  entry.identifiers = {7, 0x0102'0304};
  entry.message = "MM";
  const std::string inlined = entry.write();
  CHECK(hex(inlined) == packed("01 05 0200 07000000 04030201 4d4d"));
  Entry again;
  REQUIRE(again.read(inlined));
  CHECK(again.qos == 1);
  CHECK(again.retain);
  CHECK_FALSE(again.released);
  CHECK(again.body == 0);
  CHECK(again.identifiers == entry.identifiers);
  CHECK(again.message == "MM");
  check_truncations<Entry>(inlined, inlined.size() - 1);

  Entry shared;
  shared.qos = 2;
  shared.body = 0x0506;
  CHECK(hex(shared.write()) == packed("01 12 0000 0605000000000000"));
  REQUIRE(again.read(shared.write()));
  CHECK(again.body == 0x0506);
  CHECK(again.identifiers.empty());
  CHECK(again.message.empty());
  check_truncations<Entry>(shared.write(), shared.write().size());
  CHECK_FALSE(again.read(shared.write() + "x"));  // a body and a message

  Entry released;
  released.qos = 2;
  released.released = true;
  CHECK(hex(released.write()) == packed("01 0a 0000"));
  REQUIRE(again.read(released.write()));
  CHECK(again.released);
  CHECK_FALSE(again.read({}));
  Entry empty;  // neither a body, nor a message, nor released
  CHECK_FALSE(again.read(empty.write()));
  std::string bad = inlined;
  bad[1] = 3;  // QoS 3
  CHECK_FALSE(again.read(bad));
}

TEST_CASE("Hand: round trip and bytes") {
  const Hand hand{"$share/g/t", "id", 0x0A0B, true, 7, "MM"};
  const std::string value = hand.write();
  CHECK(hex(value) ==
        packed("01 01 0b0a000000000000 07000000 0a00 2473686172652f672f74 0200 6964 4d4d"));
  Hand again;
  REQUIRE(again.read(value));
  CHECK(again.filter == "$share/g/t");
  CHECK(again.client_id == "id");
  CHECK(again.number == 0x0A0B);
  CHECK(again.retain);
  CHECK(again.identifier == 7);
  CHECK(again.message == "MM");
  check_truncations<Hand>(value, value.size() - 1);
  CHECK_FALSE(
      again.read(Hand{"f", "id", 0, false, 0, "M"}.write()));  // no session has the number 0
}

TEST_CASE("Retained: round trip and bytes") {
  const Retained retained{9, "MMM"};
  const std::string value = retained.write();
  CHECK(hex(value) == packed("01 0900000000000000 4d4d4d"));
  Retained again;
  REQUIRE(again.read(value));
  CHECK(again.run == 9);
  CHECK(again.message == "MMM");
  check_truncations<Retained>(value, 10);
}

TEST_CASE("numbers: round trip and bytes") {
  CHECK(hex(write_number(0x1122)) == packed("01 2211000000000000"));
  std::uint64_t number = 0;
  for (const std::uint64_t each : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    REQUIRE(read_number(write_number(each), number));
    CHECK(number == each);
  }
  const std::string value = write_number(5);
  for (std::size_t size = 0; size < value.size(); ++size) {
    CHECK_FALSE(read_number(value.substr(0, size), number));
  }
  CHECK_FALSE(read_number(value + "x", number));
}

}  // namespace
}  // namespace gnomon::broker::records
