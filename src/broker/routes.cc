#include "broker/routes.h"

#include <algorithm>

#include "base/hash.h"

namespace gnomon::broker {

Routes::Routes(std::uint64_t seed) : seed_(seed) {}

Route& Routes::find(std::string_view topic) {
  if (table_.empty()) table_.resize(table_size);
  const std::uint64_t hash = keyed_hash(topic, seed_);
  std::size_t at = hash & (table_size - 1);
  for (; table_[at] != 0; at = (at + 1) & (table_size - 1)) {
    Route& route = routes_[table_[at] - 1];
    if (route.topic == topic) return route;
  }
  if (used_ == limits::route_topics_max || targets_ > limits::route_targets_max) {
    clear();
    at = hash & (table_size - 1);
  }
  if (used_ == routes_.size()) routes_.emplace_back();
  Route& route = routes_[used_++];
  table_[at] = static_cast<std::uint32_t>(used_);
  route.topic = topic;
  route.generation = 0;
  return route;
}

void Routes::clear() {
  constexpr std::size_t targets_kept = 64;
  for (std::size_t i = 0; i < used_; ++i) {
    Route& route = routes_[i];
    route.targets.clear();
    route.online.clear();
    route.kept.clear();
    route.groups.clear();
    if (route.targets.capacity() > targets_kept) route.targets = {};
    if (route.online.capacity() > targets_kept) route.online = {};
    if (route.kept.capacity() > targets_kept) route.kept = {};
  }
  std::fill(table_.begin(), table_.end(), 0U);
  used_ = 0;
  targets_ = 0;
  ++epoch_;
}

}  // namespace gnomon::broker
