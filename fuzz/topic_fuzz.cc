// The subscription index and the interest directory against the plain definition of matching, and
// that one against a second, plainer one.
//
// Input: lines. The first byte of a line says what happens (see Operation), the rest is the filter
// it happens to; then a topic is matched: the line itself, its wildcards replaced by levels.
//
// Checked: every answer of every owner's index; the directory of an onlooker, told of the changes
// 0↔1 as shards tell each other, names exactly the owners it must; places stay where they are;
// when all have unsubscribed nothing is left.
#include "topic/topic.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace {

using namespace gnomon::topic;

constexpr std::uint64_t seed = 7;
constexpr int owners = 4;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string_view> levels_of(std::string_view text) {
  std::vector<std::string_view> levels;
  for (;;) {
    const std::size_t end = text.find('/');
    levels.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return levels;
    text.remove_prefix(end + 1);
  }
}

// MQTT 5 §4.7 word by word; slow, and written apart from matches().
bool plainly_matches(std::string_view filter, std::string_view name) {
  const auto wanted = levels_of(filter), given = levels_of(name);
  const bool wild_first = wanted[0] == "+" || wanted[0] == "#";
  if (name[0] == '$' && wild_first) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "#") return true;
    if (i == given.size() || (wanted[i] != "+" && wanted[i] != given[i])) return false;
    if (i + 1 == given.size() && i + 2 == wanted.size() && wanted[i + 1] == "#") return true;
  }
  return wanted.size() == given.size();
}

// The first byte of a line.
struct Operation {
  explicit Operation(std::uint8_t byte)
      : kind(byte & 3),
        subscriber(byte >> 2 & 7),
        owner(static_cast<OwnerId>(byte >> 5 & 3)),
        count((byte & 0x80) != 0 ? 64 : 1) {}
  int kind;  // 0, 1: subscribe; 2: unsubscribe by text; 3: unsubscribe by place
  SubscriberId subscriber;
  OwnerId owner;
  SubscriberId count;  // so many subscribers do it; the many get a table of their own (filter.h)
};

// One shard: its index, and what that must hold.
struct Owner {
  struct Wanted {
    SubscriptionIndex::Filter* place;
    std::map<SubscriberId, Options> subscribers;
  };
  SubscriptionIndex index{seed};
  std::map<std::string, Wanted> model;
  std::size_t subscriptions = 0;
};

class World {
 public:
  void subscribe(OwnerId id, const std::string& filter, SubscriberId subscriber, Options options) {
    Owner& owner = owners_[id];
    const auto added = owner.index.add(filter, subscriber, options);
    const auto [at, first] = owner.model.try_emplace(filter, Owner::Wanted{added.filter, {}});
    const bool fresh = at->second.subscribers.insert_or_assign(subscriber, options).second;
    require(added.first_subscriber == first);
    require(added.replaced == !fresh);
    require(added.filter == at->second.place);
    require(SubscriptionIndex::text(*added.filter) == filter);
    if (fresh) ++owner.subscriptions;
    if (first) tell(id, filter, true);
    check_counts(owner, filter);
  }

  void unsubscribe(OwnerId id, const std::string& filter, SubscriberId subscriber, bool by_place) {
    Owner& owner = owners_[id];
    const auto at = owner.model.find(filter);
    if (by_place && at == owner.model.end()) return;
    const auto removed = by_place ? owner.index.remove(*at->second.place, subscriber)
                                  : owner.index.remove(filter, subscriber);
    const bool existed = at != owner.model.end() && at->second.subscribers.erase(subscriber) == 1;
    const bool last = existed && at->second.subscribers.empty();
    require(removed.existed == existed);
    require(removed.last_subscriber == last);
    if (existed) --owner.subscriptions;
    if (last) {
      owner.model.erase(at);
      tell(id, filter, false);
    }
    check_counts(owner, filter);
  }

  void match(const std::string& name) const {
    const std::uint64_t hash = exact_hash(name, seed);
    OwnerMask mask = 0;
    for (std::size_t id = 0; id < owners; ++id) {
      std::vector<Subscription> found, wanted;
      owners_[id].index.match(name, found);
      for (const auto& [filter, each] : owners_[id].model) {
        const bool matched = matches(filter, name);
        require(matched == plainly_matches(filter, name));
        // A false positive of the directory comes from an equal hash and from nothing else.
        if (matched || (!has_wildcard(filter) && exact_hash(filter, seed) == hash)) {
          mask |= OwnerMask{1} << id;
        }
        if (!matched) continue;
        for (const auto& [subscriber, options] : each.subscribers) {
          wanted.push_back({subscriber, options});
        }
      }
      require(in_order(std::move(found)) == in_order(std::move(wanted)));
    }
    require(directory_.match(name) == mask);
  }

  void unsubscribe_all() {
    for (OwnerId id = 0; id < owners; ++id) {
      while (!owners_[id].model.empty()) {
        const auto& [filter, wanted] = *owners_[id].model.begin();
        unsubscribe(id, std::string(filter), wanted.subscribers.begin()->first, true);
      }
      // What remains is fixed: the objects themselves and the empty segments.
      require(owners_[id].index.memory_bytes() < 1024);
    }
    require(directory_.memory_bytes() < 20'000);
  }

 private:
  static std::vector<Subscription> in_order(std::vector<Subscription> list) {
    std::sort(list.begin(), list.end(), [](const Subscription& a, const Subscription& b) {
      return std::pair(a.subscriber, a.options.identifier) <
             std::pair(b.subscriber, b.options.identifier);
    });
    return list;
  }

  static void check_counts(const Owner& owner, const std::string& filter) {
    const auto at = owner.model.find(filter);
    require(owner.index.find(filter) == (at == owner.model.end() ? nullptr : at->second.place));
    require(owner.index.filters() == owner.model.size());
    require(owner.index.subscriptions() == owner.subscriptions);
  }

  // As a shard tells the others (Shard::interest_changed).
  void tell(OwnerId owner, const std::string& filter, bool wanted) {
    if (has_wildcard(filter)) {
      wanted ? directory_.add_wildcard(filter, owner) : directory_.remove_wildcard(filter, owner);
    } else if (!owners_[owner].index.shares_hash(filter)) {
      const std::uint64_t hash = exact_hash(filter, seed);
      wanted ? directory_.add_exact(hash, owner) : directory_.remove_exact(hash, owner);
    }
  }

  std::array<Owner, owners> owners_;
  InterestDirectory directory_{seed};
};

void check_grammar(const std::string& line) {
  const bool wild = line.find_first_of("+#") != std::string::npos;
  require(has_wildcard(line) == wild);
  const Fault name = check_name(line), filter = check_filter(line);
  if (name == Fault::none) require(!wild);
  // Without wildcards the two are one, but for what begins as a share does.
  if (!wild && !line.starts_with("$share")) require(name == filter);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  gnomon::ByteView input(data, size);
  for (std::uint32_t number = 1; !input.empty(); ++number) {
    const Operation operation(input[0]);
    const auto end = std::find(input.begin() + 1, input.end(), std::uint8_t{'\n'});
    std::string line(input.begin() + 1, end);
    input = input.subspan(std::min(input.size(), line.size() + 2));

    check_grammar(line);
    if (check_filter(line) == Fault::none && split_shared(line).name.empty()) {
      Options options;
      options.identifier = number;
      options.qos = number % 3 & 3;
      for (SubscriberId i = 0; i < operation.count; ++i) {
        const SubscriberId subscriber = operation.subscriber + i;
        if (operation.kind < 2) {
          world.subscribe(operation.owner, line, subscriber, options);
        } else {
          world.unsubscribe(operation.owner, line, subscriber, operation.kind == 3);
        }
      }
    }
    std::replace(line.begin(), line.end(), '+', 'p');
    std::replace(line.begin(), line.end(), '#', 'h');
    if (check_name(line) == Fault::none) world.match(line);
  }
  world.unsubscribe_all();
  return 0;
}
