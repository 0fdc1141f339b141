// What a store holds that is no record of ours, or one of a later version: refused, never passed
// over. (Bytes that were changed on the disk are found by checksums: store/rocks_test.cc.)
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "broker/keeper_fixture.h"
#include "broker/retained.h"
#include "store/memory.h"

namespace gnomon::broker {
namespace {

using partition::SlotId;
using records::Table;

struct Row {
  std::string name, key, value;
};

std::string encoded() {
  message::Message message;
  message.topic = "t";
  Buffer buffer;
  message::encode(message, buffer);
  return std::string(as_text(buffer.view()));
}

// One good record of each table that is read at a start.
std::vector<Row> rows() {
  const SlotId slot(3);
  const std::string message = encoded();
  records::Will will;
  will.message = message;
  records::Session session;
  session.number = 7;
  records::Entry entry;
  entry.message = message;
  records::Hand hand;
  hand.filter = "$share/g/t";
  hand.client_id = "c";
  hand.number = 7;
  hand.message = message;
  const std::string number = records::write_number(5);
  return {
      {"will", records::key(Table::will, slot, "c"), will.write()},
      {"session", records::key(Table::session, slot, "c"), session.write()},
      {"subscription", records::key(Table::subscription, slot, 7, "a/#"),
       records::Subscription{}.write()},
      {"queue", records::key(Table::queue, slot, 7, 1), entry.write()},
      {"received", records::key(Table::received, slot, 7, 1), number},
      {"forward", records::key(Table::forward, slot, 1), message},
      {"mark", records::key(Table::mark, slot, "\x04"), number},
      {"group", records::key(Table::group, slot, 9, 1), entry.write()},
      {"share", records::key(Table::share, slot, "$share/g/t"), records::write_number(9)},
      {"hand", records::key(Table::hand, slot, 1), hand.write()},
      {"presence", records::key(Table::presence, slot, "c"), records::Presence{}.write()},
  };
}

Result<void> load(const std::vector<Row>& held) {
  const std::unique_ptr<store::Store> store = store::make_memory_store();
  store::Batch batch;
  for (const Row& row : held) batch.operations.emplace_back(store::Put{row.key, row.value});
  REQUIRE(store->apply(batch).ok());
  const Profile profile;
  testing::Host host;
  Counters counters;
  Keeper keeper({.id = 0,
                 .threads = 1,
                 .run = 1,
                 .seed = 1,
                 .profile = profile,
                 .store = *store,
                 .host = host,
                 .counters = counters,
                 .random = host.random});
  return keeper.load();
}

TEST_CASE("good records of all tables are read") { CHECK(load(rows()).ok()); }

TEST_CASE("a record of a later version, one cut short, and nonsense: each is refused") {
  for (std::size_t i = 0; i < rows().size(); ++i) {
    for (const int how : {0, 1, 2}) {
      std::vector<Row> held = rows();
      Row& bad = held[i];
      CAPTURE(bad.name);
      CAPTURE(how);
      if (how == 0) bad.value[0] = static_cast<char>(bad.value[0] + 1);
      if (how == 1) bad.value.resize(std::min<std::size_t>(bad.value.size() - 1, 3));
      if (how == 2) bad.value = "";
      const auto loaded = load(held);
      REQUIRE_FALSE(loaded.ok());
      CHECK(loaded.error().code == Code::unavailable);
      CHECK(loaded.error().message.find("damaged record under the key 0") != std::string::npos);
      CHECK(loaded.error().message.find("restore a backup") != std::string::npos);
    }
  }
}

TEST_CASE("a retained message that is none is an error with its topic, by name and by wildcard") {
  const std::string topic = "a/b";
  const std::unique_ptr<store::Store> store = store::make_memory_store();
  const std::string good = records::Retained{1, encoded()}.write();
  std::string newer = good, inner = good;
  newer[0] = 2;
  inner[1 + sizeof(std::uint64_t)] = 2;
  for (const std::string& value : {newer, inner, good.substr(0, 5), std::string()}) {
    store::Batch batch;
    batch.operations.emplace_back(store::Put{
        records::key(Table::retained, partition::slot_of(partition::KeyKind::topic, topic), topic),
        value});
    REQUIRE(store->apply(batch).ok());
    for (const char* filter : {"a/b", "a/+", "#"}) {
      RetainedRequest request;
      request.filters = std::make_shared<const std::vector<std::string>>(1, filter);
      RetainedPage page;
      const auto read = read_retained(*store, request, 0, 1, page);
      REQUIRE_FALSE(read.ok());
      CHECK(read.error().message.find("'a/b'") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace gnomon::broker
