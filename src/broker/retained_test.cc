#include "broker/retained.h"

#include <map>
#include <set>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"
#include "broker/records.h"
#include "message/message.h"
#include "store/memory.h"
#include "topic/topic.h"

namespace gnomon::broker {
namespace {

using records::Table;

class Values {
 public:
  void retain(const std::string& topic, std::size_t bytes = 1, WallTime expires = {}) {
    const std::string payload(bytes, 'x');
    message::Message message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.retain = true;
    message.qos = 1;
    message.received = WallTime{1000};
    message.expires = expires;
    Buffer encoded;
    message::encode(message, encoded);
    const auto slot = partition::slot_of(partition::KeyKind::topic, topic);
    batch_.operations.emplace_back(
        store::Put{records::key(Table::retained, slot, topic),
                   records::Retained{7, as_text(encoded.view())}.write()});
    topics_.insert(topic);
  }
  void write() {
    REQUIRE(store_->apply(batch_).ok());
    batch_.clear();
  }

  // By filter, the topics that all owners find together, page by page; and how many pages it took.
  std::vector<std::multiset<std::string>> read(const std::vector<std::string>& filters, int owners,
                                               int* pages = nullptr) {
    std::vector<std::multiset<std::string>> found(filters.size());
    for (int owner = 0; owner < owners; ++owner) {
      RetainedRequest request;
      request.filters = std::make_shared<const std::vector<std::string>>(filters);
      for (int turn = 0; request.filter < filters.size(); ++turn) {
        REQUIRE(turn < 10'000);
        RetainedPage page;
        REQUIRE(read_retained(*store_, request, owner, owners, page).ok());
        std::size_t bytes = 0;
        for (const RetainedPage::Entry& entry : page.entries) {
          const auto decoded = message::decode(as_bytes(entry.message));
          REQUIRE(decoded.ok());
          CHECK(entry.run == 7);
          found[entry.filter].emplace(decoded->message.topic);
          bytes += entry.message.size();
        }
        CHECK(bytes < limits::page_bytes + largest);
        request.filter = page.filter;
        request.slot = page.slot;
        request.after = page.after;
        if (pages != nullptr) ++*pages;
      }
    }
    return found;
  }
  // What a listing has, page by page; `most` a page.
  std::multiset<std::string> list(std::size_t most, WallTime now = {}, int* pages = nullptr) {
    std::multiset<std::string> all;
    std::string after;
    for (int turn = 0; turn == 0 || !after.empty(); ++turn) {
      REQUIRE(turn < 10'000);
      const auto page = list_retained(*store_, after, most, now);
      REQUIRE(page);
      CHECK(page->found.size() <= most);
      for (const RetainedView& each : page->found) {
        all.insert(each.topic);
        CHECK(each.qos == 1);
        CHECK(each.received == WallTime{1000});
      }
      after = page->after;
      if (pages != nullptr) ++*pages;
    }
    return all;
  }
  [[nodiscard]] const store::Store& store() const { return *store_; }
  void damage(const std::string& topic) {
    batch_.operations.emplace_back(store::Put{
        records::key(Table::retained, partition::slot_of(partition::KeyKind::topic, topic), topic),
        "nonsense"});
  }

  void check(const std::vector<std::string>& filters, int owners) {
    CAPTURE(owners);
    const auto found = read(filters, owners);
    for (std::size_t i = 0; i < filters.size(); ++i) {
      CAPTURE(filters[i]);
      std::multiset<std::string> expected;
      for (const std::string& topic : topics_) {
        if (topic::matches(filters[i], topic)) expected.insert(topic);
      }
      CHECK(found[i] == expected);
    }
  }

  static constexpr std::size_t largest = 100'000;

 private:
  std::unique_ptr<store::Store> store_ = store::make_memory_store();
  store::Batch batch_;
  std::set<std::string> topics_;
};

TEST_CASE("nothing is retained: one page, and it is the last") {
  Values values;
  for (const int owners : {1, 3}) {
    int pages = 0;
    CHECK(values.read({"a/b", "#"}, owners, &pages)[1].empty());
    CHECK(pages == owners);
  }
}

TEST_CASE("exact filters and wildcards find what they match, over any number of owners") {
  Values values;
  for (const char* topic : {"a", "a/b", "a/b/c", "ab", "a/", "/a", "/", "b", "a/c", "x/b", "$SYS/a",
                            "a/b/c/d", "+x", "A"}) {
    values.retain(topic);
  }
  values.write();
  const std::vector<std::string> filters{"a",   "a/b",    "a/#",   "#",       "+",      "+/b",
                                         "a/+", "a/b/#",  "/+",    "+/+",     "/#",     "none",
                                         "b/#", "$SYS/#", "+/+/c", "a/+/c/#", "none/#", "a/+/+"};
  for (const int owners : {1, 2, 5, 32}) values.check(filters, owners);
  CHECK(values.read({"a/#"}, 2)[0].contains("a"));  // MQTT 5 §4.7.1.2
  CHECK_FALSE(values.read({"a/#"}, 2)[0].contains("ab"));
  CHECK_FALSE(values.read({"#"}, 2)[0].contains("$SYS/a"));
}

TEST_CASE("a listing has each topic once, however long its pages are") {
  Values values;
  std::multiset<std::string> expected;
  CHECK(values.list(3).empty());
  for (int n = 0; n < 400; ++n) {
    const std::string topic = "a/" + std::to_string(n);
    values.retain(topic, n % 50 == 0 ? 300'000 : 10);
    expected.insert(topic);
  }
  values.write();
  for (const std::size_t most : {1, 7, 200, 400, 1000}) {
    CAPTURE(most);
    CHECK(values.list(most) == expected);
  }
  int pages = 0;
  values.list(400, {}, &pages);
  CHECK(pages == 1);
  // Any text says where to go on.
  for (const std::string& after : {std::string("x"), std::string(1, '\0'), std::string("\xff\xff"),
                                   std::string("\x80"
                                               "a/17")})
    CHECK(list_retained(values.store(), after, 1000, {}));
  CHECK(list_retained(values.store(), "\xff\xff", 1000, {})->found.empty());
}

TEST_CASE("a page ends when enough was looked at") {
  Values values;
  std::multiset<std::string> expected;
  for (int n = 0; n < 60; ++n) {
    values.retain("a/" + std::to_string(n), 200'000);
    expected.insert("a/" + std::to_string(n));
  }
  values.write();
  int pages = 0;
  CHECK(values.list(1000, {}, &pages) == expected);
  CHECK(pages == 3);
}

TEST_CASE("what has expired is not listed, nor is what fits into no URL; pages may be empty") {
  Values values;
  values.retain("gone", 1, WallTime{5000});
  values.retain("stays", 1, WallTime{5001});
  for (int n = 0; n < 300; ++n) {
    std::string topic = "long/" + std::to_string(n) + std::string(60'000, 'x');
    values.retain(topic, 1);
  }
  const std::string longest = "t" + std::string(limits::listed_topic_bytes_max - 1, 'x');
  values.retain(longest);
  values.retain(longest + 'x');
  values.write();
  for (const std::size_t most : {1, 1000}) {
    int pages = 0;
    CHECK(values.list(most, WallTime{5000}, &pages) ==
          std::multiset<std::string>{"stays", longest});
    CHECK(pages > 3);  // of the long ones 4 MiB at a time
  }
  CHECK(find_retained(values.store(), "gone", WallTime{4999})->size() > 0);
  CHECK(find_retained(values.store(), "gone", WallTime{5000})->empty());
  CHECK(find_retained(values.store(), "none", {})->empty());
  const auto found = find_retained(values.store(), "stays", WallTime{5000});
  REQUIRE(found);
  CHECK(message::decode(as_bytes(*found))->message.topic == "stays");
}

TEST_CASE("a damaged record is told by its topic, listed or asked for") {
  Values values;
  values.damage("a/b");
  values.write();
  const auto listed = list_retained(values.store(), "", 10, {});
  REQUIRE(!listed);
  CHECK(listed.error().message.find("'a/b'") != std::string::npos);
  const auto found = find_retained(values.store(), "a/b", {});
  REQUIRE(!found);
  CHECK(found.error().message.find("'a/b'") != std::string::npos);
}

TEST_CASE("a topic that several filters match is found for each") {
  Values values;
  values.retain("a/b");
  values.write();
  const auto found = values.read({"a/b", "a/+", "#", "a/b"}, 3);
  for (const auto& each : found) CHECK(each.size() == 1);
}

TEST_CASE("model: random topics and filters, small and large values") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const auto levels = [&](bool filter) {
      std::string text;
      const auto count = 1 + random.below(4);
      for (std::uint64_t i = 0; i < count; ++i) {
        if (i > 0) text += '/';
        const auto what = random.below(8);
        if (filter && what == 0) text += '+';
        if (filter && what == 1) return text + '#';
        if (what > 1 || !filter) text += "abcd"[random.below(4)];
      }
      return text;
    };
    Values values;
    for (int i = 0; i < 150; ++i) {
      values.retain(levels(false), 1 + random.below(random.below(8) == 0 ? 90'000 : 100));
    }
    values.write();
    std::vector<std::string> filters;
    for (int i = 0; i < 8; ++i) filters.push_back(levels(true));
    values.check(filters, static_cast<int>(1 + random.below(4)));
  }
}

TEST_CASE("many large values in one slot come in pages, each once") {
  Values values;
  const auto slot = partition::slot_of(partition::KeyKind::topic, "m/0");
  int made = 0;
  for (int i = 0; made < 20; ++i) {
    const std::string topic = "m/" + std::to_string(i);
    if (partition::slot_of(partition::KeyKind::topic, topic) != slot) continue;
    values.retain(topic, 50'000);
    ++made;
  }
  values.write();
  int pages = 0;
  const auto found = values.read({"m/#", "m/0", "m/+"}, 1, &pages);
  CHECK(found[0].size() == 20);
  CHECK(found[1].size() == 1);
  CHECK(found[2].size() == 20);
  CHECK(std::set<std::string>(found[0].begin(), found[0].end()).size() == 20);
  CHECK(pages > 4);  // 2 MB by 256 KiB
  values.check({"m/#", "m/0", "m/+"}, 2);
}

TEST_CASE("a filter that matches little of much is looked through in pieces") {
  Values values;
  const int topics = static_cast<int>(limits::retained_per_scan) + 2000;
  for (int i = 0; i < topics; ++i) values.retain("d/" + std::to_string(i) + "/state");
  values.retain("d/5/alarm");
  values.write();
  int pages = 0;
  const auto found = values.read({"d/+/alarm"}, 1, &pages);
  CHECK(found[0] == std::multiset<std::string>{"d/5/alarm"});
  CHECK(pages == 2);
}

}  // namespace
}  // namespace gnomon::broker
