#include "topic/index.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include "topic/interest.h"
#include "topic/random_topics.h"
#include "topic/topic.h"

namespace gnomon::topic {
namespace {

// What an index must do, in the plainest way.
using Model = std::map<std::string, std::map<SubscriberId, Options>>;

std::vector<Subscription> sorted(std::vector<Subscription> list) {
  const auto key = [](const Subscription& s) {
    return std::pair(s.subscriber, s.options.identifier);
  };
  std::sort(list.begin(), list.end(), [&](auto& a, auto& b) { return key(a) < key(b); });
  return list;
}

std::vector<Subscription> match(const SubscriptionIndex& index, std::string_view name) {
  std::vector<Subscription> found;
  index.match(name, found);
  return sorted(std::move(found));
}

std::vector<Subscription> match(const Model& model, std::string_view name) {
  std::vector<Subscription> found;
  for (const auto& [filter, subscribers] : model) {
    if (!matches(filter, name)) continue;
    for (const auto& [subscriber, options] : subscribers) found.push_back({subscriber, options});
  }
  return sorted(std::move(found));
}

Options with_identifier(std::uint32_t identifier) {
  Options options;
  options.qos = identifier & 1;
  options.identifier = identifier;
  return options;
}

TEST_CASE("the options of one subscriber") {
  SubscriptionIndex index(1);
  auto* filter = index.add("a/+", 1, {.qos = 1, .identifier = 7}).filter;
  CHECK(SubscriptionIndex::options(*filter, 1) == Options{.qos = 1, .identifier = 7});
  CHECK(!SubscriptionIndex::options(*filter, 2));
  index.add("a/+", 2, {.qos = 2});
  CHECK(SubscriptionIndex::options(*filter, 2) == Options{.qos = 2});
  CHECK(SubscriptionIndex::options(*filter, 1) == Options{.qos = 1, .identifier = 7});
}

TEST_CASE("an empty index matches nothing and holds next to nothing") {
  SubscriptionIndex index(1);
  CHECK(match(index, "a/b").empty());
  CHECK(index.find("a/b") == nullptr);
  CHECK(index.find("a/#") == nullptr);
  CHECK_FALSE(index.remove("a/b", 1).existed);
  CHECK_FALSE(index.remove("a/#", 1).existed);
  CHECK_FALSE(index.shares_hash("a"));
  CHECK(index.memory_bytes() < 1024);
}

TEST_CASE("options are kept, and replaced when the subscriber comes again (§3.8.4)") {
  for (const std::string filter : {"a/b", "a/+"}) {
    SubscriptionIndex index(1);
    Options options;
    options.qos = 2;
    options.no_local = 1;
    options.retain_as_published = 1;
    options.retain_handling = 2;
    options.identifier = 268'435'455;
    const auto added = index.add(filter, 7, options);
    CHECK(added.first_subscriber);
    CHECK_FALSE(added.replaced);
    CHECK(match(index, "a/b") == std::vector{Subscription{7, options}});
    const auto again = index.add(filter, 7, {});
    CHECK(again.filter == added.filter);
    CHECK_FALSE(again.first_subscriber);
    CHECK(again.replaced);
    CHECK(match(index, "a/b") == std::vector{Subscription{7, {}}});
    CHECK(index.subscriptions() == 1);
    CHECK(SubscriptionIndex::text(*added.filter) == filter);
  }
}

TEST_CASE("a filter's place stays valid while it has a subscriber") {
  SubscriptionIndex index(1);
  std::vector<SubscriptionIndex::Filter*> places;
  for (SubscriberId i = 0; i < 20'000; ++i) {
    places.push_back(
        index.add("dev/" + std::to_string(i) + (i % 3 == 0 ? "/#" : "/x"), i, {}).filter);
  }
  CHECK(index.filters() == 20'000);
  for (SubscriberId i = 0; i < 20'000; ++i) {
    const std::string text = "dev/" + std::to_string(i) + (i % 3 == 0 ? "/#" : "/x");
    REQUIRE(index.find(text) == places[i]);
    REQUIRE(SubscriptionIndex::text(*places[i]) == text);
    REQUIRE(match(index, "dev/" + std::to_string(i) + "/x").size() == 1);
  }
  for (SubscriberId i = 0; i < 20'000; ++i) {
    REQUIRE_FALSE(index.remove(*places[i], i + 1).existed);
    REQUIRE(index.remove(*places[i], i).last_subscriber);
  }
  CHECK(index.filters() == 0);
  CHECK(index.subscriptions() == 0);
}

TEST_CASE("random subscriptions against a map and matches()") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    SubscriptionIndex index(random.next());
    Model model;
    for (int step = 0; step < 4000; ++step) {
      const std::string filter = random_filter(random);
      const auto subscriber = static_cast<SubscriberId>(random.below(6));
      REQUIRE(check_filter(filter) == Fault::none);
      const auto known = model.find(filter);
      const bool there = known != model.end() && known->second.contains(subscriber);
      // Phases of growing and of shrinking to nothing.
      if (random.below(100) < (step / 500 % 2 == 0 ? 70U : 10U)) {
        const Options options = with_identifier(static_cast<std::uint32_t>(step));
        const auto added = index.add(filter, subscriber, options);
        REQUIRE(added.first_subscriber == (known == model.end()));
        REQUIRE(added.replaced == there);
        model[filter][subscriber] = options;
      } else if (known != model.end() && random.below(2) == 0) {
        const SubscriberId some = known->second.begin()->first;
        const auto removed = index.remove(*index.find(filter), some);
        REQUIRE(removed.existed);
        known->second.erase(some);
        REQUIRE(removed.last_subscriber == known->second.empty());
        if (known->second.empty()) model.erase(known);
      } else {
        const auto removed = index.remove(filter, subscriber);
        REQUIRE(removed.existed == there);
        if (there) known->second.erase(subscriber);
        const bool last = there && known->second.empty();
        REQUIRE(removed.last_subscriber == last);
        if (last) model.erase(known);
      }
      REQUIRE(index.filters() == model.size());
      REQUIRE((index.find(filter) != nullptr) == model.contains(filter));
      const std::string name = random_name(random);
      REQUIRE(check_name(name) == Fault::none);
      REQUIRE(match(index, name) == match(model, name));
    }
    for (const auto& [filter, subscribers] : model) {
      for (const auto& [subscriber, options] : subscribers) index.remove(filter, subscriber);
    }
    CHECK(index.filters() == 0);
    CHECK(index.memory_bytes() < 1024);
  }
}

TEST_CASE("many subscribers of one filter come and go in any order") {
  for (const std::string filter : {"a", "+"}) {
    SeededRandom random(3);
    SubscriptionIndex index(3);
    std::map<SubscriberId, Options> model;
    for (int step = 0; step < 6000; ++step) {
      const auto subscriber = static_cast<SubscriberId>(random.below(300)) * 1024;
      if (random.below(100) < (step / 1000 % 2 == 0 ? 75U : 20U)) {
        const Options options = with_identifier(static_cast<std::uint32_t>(step));
        REQUIRE(index.add(filter, subscriber, options).replaced == model.contains(subscriber));
        model[subscriber] = options;
      } else {
        const auto removed = index.remove(filter, subscriber);
        REQUIRE(removed.existed == (model.erase(subscriber) == 1));
        REQUIRE(removed.last_subscriber == (removed.existed && model.empty()));
      }
      REQUIRE(index.subscriptions() == model.size());
      if (step % 50 == 0) REQUIRE(match(index, "a") == match(Model{{filter, model}}, "a"));
    }
    while (!model.empty()) {
      index.remove(filter, model.begin()->first);
      model.erase(model.begin());
    }
    CHECK(index.memory_bytes() < 1024);
  }
}

TEST_CASE("an audience of 100,000 leaves one by one") {
  SubscriptionIndex index(1);
  constexpr SubscriberId audience = 100'000;
  for (SubscriberId i = 0; i < audience; ++i) index.add("news/#", i, {});
  CHECK(match(index, "news").size() == audience);
  CHECK(index.memory_bytes() < std::size_t{audience} * 32);
  SubscriptionIndex::Filter& filter = *index.find("news/#");
  for (SubscriberId i = 0; i < audience; ++i) {  // odd steps, so neither first nor last
    REQUIRE(index.remove(filter, i * 7919 % audience).existed);
  }
  CHECK(index.subscriptions() == 0);
}

TEST_CASE("memory: at most 100 bytes per exact filter of 22 bytes, and it comes back") {
  SubscriptionIndex index(1);
  constexpr SubscriberId filters = 50'000;
  const auto text = [](SubscriberId i) {
    return "site/7/d-" + std::to_string(10'000'000 + i) + "/temp";
  };
  REQUIRE(text(1).size() == 22);
  for (SubscriberId i = 0; i < filters; ++i) {
    index.add(text(i), i, {});
    if (i > 5000) REQUIRE(index.memory_bytes() / (i + 1) < 100);
  }
  for (SubscriberId i = 0; i < filters; ++i) index.remove(text(i), i);
  CHECK(index.memory_bytes() < 8192);
}

TEST_CASE("another filter with the same exact_hash is found, and only another") {
  constexpr std::uint64_t seed = 11;
  const auto text = [](int i) { return "t/" + std::to_string(i); };
  // 35 bits: two of a few hundred thousand texts collide.
  std::unordered_map<std::uint64_t, int> seen;
  int a = 0, b = 0;
  for (int i = 0; a == b; ++i) {
    REQUIRE(i < 3'000'000);
    const auto [at, fresh] = seen.emplace(exact_hash(text(i), seed), i);
    if (!fresh) a = at->second, b = i;
  }
  SubscriptionIndex index(seed);
  for (int i = 0; i < 10'000; ++i) index.add("filler/" + std::to_string(i), 1, {});
  index.add(text(a), 1, {});
  CHECK_FALSE(index.shares_hash(text(a)));
  CHECK(index.shares_hash(text(b)));
  index.add(text(b), 2, {});
  CHECK(index.shares_hash(text(a)));
  CHECK(match(index, text(a)).size() == 1);
  CHECK(match(index, text(b)).size() == 1);
  index.remove(text(a), 1);
  CHECK(index.shares_hash(text(a)));
  CHECK_FALSE(index.shares_hash(text(b)));
}

// As many branches as a walk can have: each level of the name is matched by a text and by `+`.
TEST_CASE("without parents, as AWS IoT has it, a/# matches what is below a, and not a") {
  SubscriptionIndex index(1, false);
  std::vector<Subscription> found;
  const auto matches = [&](std::string_view filter, std::string_view name) {
    index.add(filter, 1, {});
    found.clear();
    index.match(name, found);
    index.remove(filter, 1);
    return !found.empty();
  };
  CHECK_FALSE(matches("a/#", "a"));
  CHECK_FALSE(matches("+/#", "a"));
  CHECK_FALSE(matches("a/+/#", "a/b"));
  CHECK(matches("a/#", "a/"));
  CHECK(matches("a/#", "a/b/c"));
  CHECK(matches("+/#", "a/b"));
  CHECK(matches("#", "a"));
  CHECK(matches("a", "a"));
}

TEST_CASE("a trie in which every node branches") {
  SubscriptionIndex index(1);
  constexpr std::size_t levels = 12;
  for (std::uint32_t bits = 0; bits < 1U << levels; ++bits) {
    std::string filter;
    for (std::size_t i = 0; i < levels; ++i) {
      filter += (i > 0 ? "/" : "") + std::string((bits >> i & 1) != 0 ? "+" : "a");
    }
    index.add(filter, bits, {});
  }
  std::string name = "a";
  for (std::size_t i = 1; i < levels; ++i) name += "/a";
  CHECK(match(index, name).size() == 1U << levels);
  CHECK(match(index, name + "/a").empty());
  CHECK(match(index, "a/a/a").empty());
}

}  // namespace
}  // namespace gnomon::topic
