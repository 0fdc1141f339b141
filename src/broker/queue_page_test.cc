#include "broker/queue_page.h"

#include <doctest/doctest.h>

#include "base/limits.h"
#include "broker/records.h"
#include "message/message.h"
#include "store/memory.h"

namespace gnomon::broker {
namespace {

using partition::SlotId;
using records::Table;

const SlotId slot(9);
constexpr std::uint64_t session = 77;

std::string encoded(const std::string& payload) {
  message::Message message;
  message.topic = "t";
  message.payload = as_bytes(payload);
  Buffer buffer;
  message::encode(message, buffer);
  return std::string(as_text(buffer.view()));
}

class Queue {
 public:
  void put(std::uint64_t sequence, const std::string& payload, std::uint64_t body = 0,
           std::uint64_t number = session, SlotId in = slot) {
    records::Entry entry;
    entry.body = body;
    const std::string message = body == 0 ? encoded(payload) : std::string();
    entry.message = message;
    write(records::key(Table::queue, in, number, sequence), entry.write());
  }
  void write(std::string key, std::string value) {
    store::Batch batch;
    batch.operations.emplace_back(store::Put{std::move(key), std::move(value)});
    REQUIRE(store_->apply(batch).ok());
  }
  Page read(std::uint64_t from, std::uint64_t to, bool bodies = true) {
    Page page;
    read_queue(*store_, records::Table::queue, slot, session, from, to, limits::page_bytes, bodies,
               page);
    return page;
  }

 private:
  std::unique_ptr<store::Store> store_ = store::make_memory_store();
};

std::string text(const Page::Entry& found) {
  records::Entry entry;
  REQUIRE(entry.read(found.value));
  const auto decoded =
      message::decode(as_bytes(entry.body == 0 ? entry.message : std::string_view(found.body)));
  REQUIRE(decoded.ok());
  return std::string(as_text(decoded->message.payload));
}

TEST_CASE("a page holds what is asked for, of this session and no other, in order") {
  Queue queue;
  for (const std::uint64_t sequence : {1, 2, 5, 255, 256, 300}) {
    queue.put(sequence, std::to_string(sequence));
  }
  queue.put(2, "another session", 0, session - 1);
  queue.put(2, "another session", 0, session + 1);
  queue.put(2, "another slot", 0, session, SlotId(10));
  Page page = queue.read(2, 300);
  CHECK_FALSE(page.damaged);
  CHECK(page.read_to == 300);
  REQUIRE(page.entries.size() == 4);
  const std::uint64_t expected[] = {2, 5, 255, 256};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(page.entries[i].sequence == expected[i]);
    CHECK(text(page.entries[i]) == std::to_string(expected[i]));
  }
  page = queue.read(3, 5);  // a gap
  CHECK(page.entries.empty());
  CHECK(page.read_to == 5);
  CHECK_FALSE(page.damaged);
  CHECK(queue.read(1, 1).entries.empty());
}

TEST_CASE("shared bodies come with their entries, unless they are not wanted") {
  Queue queue;
  queue.put(1, "own");
  queue.put(2, {}, 40);
  queue.put(3, {}, 40);
  queue.put(4, {}, 41);
  queue.write(records::key(Table::body, slot, 40), encoded("forty"));
  queue.write(records::key(Table::body, slot, 41), encoded("forty-one"));
  Page page = queue.read(1, 10);
  REQUIRE(page.entries.size() == 4);
  CHECK_FALSE(page.damaged);
  CHECK(text(page.entries[0]) == "own");
  CHECK(text(page.entries[1]) == "forty");
  CHECK(text(page.entries[2]) == "forty");
  CHECK(text(page.entries[3]) == "forty-one");
  page = queue.read(1, 10, false);
  REQUIRE(page.entries.size() == 4);
  CHECK(page.entries[1].body.empty());
}

TEST_CASE("a body that is missing, and what is no entry or no message, is damage") {
  Queue queue;
  queue.put(1, {}, 40);
  CHECK(queue.read(1, 2).damaged);
  CHECK_FALSE(queue.read(1, 2, false).damaged);  // a purge does without
  Queue other;
  other.write(records::key(Table::queue, slot, session, 1), "nonsense");
  CHECK(other.read(1, 2).damaged);
  std::string newer = encoded("x");
  newer[0] = static_cast<char>(newer[0] + 1);  // its version
  queue.write(records::key(Table::body, slot, 40), newer);
  CHECK(queue.read(1, 2).damaged);
  records::Entry entry;
  entry.message = newer;
  other.write(records::key(Table::queue, slot, session, 1), entry.write());
  CHECK(other.read(1, 2).damaged);
  entry.released = true;
  entry.message = {};
  other.write(records::key(Table::queue, slot, session, 1), entry.write());
  CHECK_FALSE(other.read(1, 2).damaged);
}

TEST_CASE("a page ends by bytes or by count, and the next one goes on behind it") {
  Queue large, many;
  for (std::uint64_t i = 1; i <= 20; ++i) large.put(i, std::string(50'000, 'x'));
  for (std::uint64_t i = 1; i <= 2 * limits::page_messages + 5; ++i) many.put(i, "x");
  const auto pages = [](Queue& queue, std::uint64_t to) {
    int count = 0;
    std::uint64_t next = 1;
    for (std::uint64_t from = 1; from < to; ++count) {
      const Page page = queue.read(from, to);
      REQUIRE(page.read_to > from);
      for (const Page::Entry& entry : page.entries) CHECK(entry.sequence == next++);
      CHECK(page.entries.size() <= limits::page_messages);
      from = page.read_to;
    }
    CHECK(next == to);
    return count;
  };
  CHECK(pages(large, 21) == 4);  // six of 50,000 bytes each
  CHECK(pages(many, 2 * limits::page_messages + 6) == 3);
  CHECK(large.read(3, 21).entries.front().sequence == 3);
}

}  // namespace
}  // namespace gnomon::broker
