// The subscription index and the interest directory against the plain definition of matching,
// driven by the input: each line is an operation on a filter, or a topic to match.
#include "topic/topic.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace {

using gnomon::topic::Fault;

void require(bool holds) {
  if (!holds) std::abort();
}

struct World {
  static constexpr std::uint64_t seed = 7;
  gnomon::topic::SubscriptionIndex index{seed};
  gnomon::topic::InterestDirectory directory{seed};
  std::map<std::string, std::set<std::uint32_t>> model;

  void tell(const std::string& filter, bool wanted) {
    if (gnomon::topic::has_wildcard(filter)) {
      wanted ? directory.add_wildcard(filter, 3) : directory.remove_wildcard(filter, 3);
    } else {
      const auto hash = gnomon::topic::exact_hash(filter, seed);
      wanted ? directory.add_exact(hash, 3) : directory.remove_exact(hash, 3);
    }
  }
  void subscribe(const std::string& filter, std::uint32_t subscriber) {
    const auto added = index.add(filter, subscriber, {});
    auto& subscribers = model[filter];
    require(added.first_subscriber == subscribers.empty());
    require(added.replaced == !subscribers.insert(subscriber).second);
    require(gnomon::topic::SubscriptionIndex::text(*added.filter) == filter);
    require(index.find(filter) == added.filter);
    if (added.first_subscriber) tell(filter, true);
  }
  void unsubscribe(const std::string& filter, std::uint32_t subscriber) {
    const auto removed = index.remove(filter, subscriber);
    const auto it = model.find(filter);
    const bool existed = it != model.end() && it->second.erase(subscriber) > 0;
    require(removed.existed == existed);
    require(removed.last_subscriber == (existed && it->second.empty()));
    if (removed.last_subscriber) {
      tell(filter, false);
      model.erase(it);
    }
  }
  void match(const std::string& name) {
    std::vector<gnomon::topic::Subscription> found;
    index.match(name, found);
    std::multiset<std::uint32_t> got, wanted;
    for (const auto& subscription : found) got.insert(subscription.subscriber);
    for (const auto& [filter, subscribers] : model) {
      if (gnomon::topic::matches(filter, name))
        wanted.insert(subscribers.begin(), subscribers.end());
    }
    require(got == wanted);
    require(directory.match(name) == (wanted.empty() ? 0U : 8U));  // with so few: nothing false
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty()) {
    const std::string line(input.substr(1, input.find('\n', 1) - 1));
    const auto operation = static_cast<unsigned>(input[0]);
    input.remove_prefix(std::min(input.size(), line.size() + 2));
    const std::uint32_t subscriber = operation >> 2 & 7;
    const bool filter = gnomon::topic::check_filter(line) == Fault::none &&
                        gnomon::topic::split_shared(line).name.empty();
    if ((operation & 3) < 2 && filter) world.subscribe(line, subscriber);
    if ((operation & 3) == 2 && filter) world.unsubscribe(line, subscriber);
    if (gnomon::topic::check_name(line) == Fault::none) world.match(line);
  }
  return 0;
}
