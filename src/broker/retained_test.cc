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
  void retain(const std::string& topic, std::size_t bytes = 1) {
    const std::string payload(bytes, 'x');
    message::Message message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.retain = true;
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
