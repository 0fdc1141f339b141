#include "server/effects.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace gnomon::server {

namespace {

// From targets of policies to principals of connections.
broker::Principals principals_of(const registry::Effects& effects) {
  constexpr std::string_view own = "gnomon:";
  broker::Principals changed;
  changed.everyone = effects.everyone;
  for (const std::string& name : effects.principals) {
    if (name == "gnomon:users") changed.everyone = true;  // nobody lists them
    changed.names.push_back(name.starts_with(own) ? name.substr(own.size()) : name);
  }
  std::ranges::sort(changed.names);
  return changed;
}

}  // namespace

void Effects::apply(registry::Effects effects) {
  auto changed = std::make_shared<const broker::Principals>(principals_of(effects));
  if (changed->everyone || !changed->names.empty()) {
    setup_.authentication.forget(*changed);  // before anybody is asked about again
    recheck(changed);
  }
  if (effects.indexing) setup_.index();
  if (effects.events.empty()) return;
  setup_.loops.front()->post(
      [shard = setup_.shards.front().get(), events = std::move(effects.events)] {
        for (const registry::Event& event : events) {
          message::Message message;
          message.topic = event.topic;
          message.payload = as_bytes(event.payload);
          message.qos = 1;
          shard->publish(message);
        }
      });
}

void Effects::recheck(const std::shared_ptr<const broker::Principals>& changed) {
  for (std::size_t i = 0; i < setup_.shards.size(); ++i)
    setup_.loops[i]->post([shard = setup_.shards[i].get(), changed] { shard->recheck(*changed); });
}

void Effects::recheck_signed() {
  recheck(std::make_shared<const broker::Principals>(
      broker::Principals{.names = {}, .everyone = false, .proven = true}));
}

void Effects::when_durable(store::Sequence sequence, registry::Effects effects,
                           std::function<void()> then) {
  setup_.control.post([this, waiting = std::make_shared<Waiting>(
                                 Waiting{sequence, std::move(effects), std::move(then)})] {
    waiting_.push_back(std::move(*waiting));
    look();
  });
}

// Who syncs wakes the shards' loops; this one looks by itself, for what is rare.
void Effects::look() {
  constexpr std::chrono::milliseconds soon{2};
  const store::Sequence durable = setup_.store.durable();
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    if (waiting.sequence > durable) {
      waiting_.push_back(std::move(waiting));
      continue;
    }
    apply(std::move(waiting.effects));
    if (waiting.then) waiting.then();
  }
  if (waiting_.empty()) return;
  setup_.syncer.request(0);
  setup_.control.timers().arm(*this, setup_.control.now() + soon);
}

}  // namespace gnomon::server
