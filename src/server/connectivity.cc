#include "server/connectivity.h"

#include <atomic>
#include <utility>

#include "base/log.h"
#include "fleet/indexing.h"
#include "index/connectivity.h"
#include "partition/slots.h"
#include "shadow/topics.h"

namespace gnomon::server {

void Connectivity::presence(const broker::PresenceChange& change, store::Batch& batch) {
  const auto slot = partition::slot_of(partition::KeyKind::client_id, change.client_id);
  const auto at =
      static_cast<std::size_t>(partition::thread_of(slot, static_cast<int>(homes_.size())));
  Home& home = homes_[at];
  if (!home.indexed || !shadow::is_thing_name(change.client_id)) return;
  index::write_connectivity(change.client_id,
                            {change.connected, change.at,
                             change.connected ? std::string() : std::string(name_of(change.why))},
                            batch.operations);
  if (change.connected) {
    home.gone.erase(std::string(change.client_id));
  } else {
    home.gone.emplace(change.client_id);
    ask(at);
  }
}

// One question at a time, about all who have gone since the last.
void Connectivity::ask(std::size_t at) {
  Home& home = homes_[at];
  if (home.asking || home.gone.empty()) return;
  home.asking = true;
  setup_.loops[at]->post([this, at] {  // behind the turn, and what it writes
    const auto& gone = homes_[at].gone;
    setup_.pool.run([this, at, names = std::vector<std::string>(gone.begin(), gone.end())] {
      auto unknown = fleet::unregistered(setup_.store, names);
      if (!unknown) log_error("connectivity_failed", {{"what", unknown.error().message}});
      setup_.loops[at]->post(
          [this, at, names,
           strangers = unknown ? *std::move(unknown) : std::vector<std::string>()] {
            forget(at, strangers);
            for (const std::string& name : names) homes_[at].gone.erase(name);
            homes_[at].asking = false;
            ask(at);
          });
    });
  });
}

// Without those who are back.
void Connectivity::forget(std::size_t at, const std::vector<std::string>& names) {
  store::Batch batch;
  for (const std::string& name : names) {
    if (!homes_[at].gone.contains(name)) continue;
    for (std::string& key : index::keys_of_connectivity(name))
      batch.operations.emplace_back(store::Erase{std::move(key)});
  }
  if (batch.empty()) return;
  if (const auto applied = setup_.store.apply(batch); !applied)
    log_error("connectivity_failed", {{"what", applied.error().message}});
}

namespace {

// Calls `then` when it has been called so often itself.
std::function<void()> last_of(std::size_t count, const std::function<void()>& then) {
  return [left = std::make_shared<std::atomic<std::size_t>>(count), then] {
    if (left->fetch_sub(1) == 1) then();
  };
}

}  // namespace

void Connectivity::set_index(const index::Configuration& what, const std::function<void()>& then) {
  const auto done = last_of(homes_.size(), then);
  for (std::size_t at = 0; at < homes_.size(); ++at) {
    setup_.loops[at]->post([this, at, on = what.connectivity, done] {
      homes_[at].indexed = on;
      done();
    });
  }
}

void Connectivity::record_all(const std::function<void()>& then) {
  const auto done = last_of(homes_.size(), then);
  for (std::size_t at = 0; at < homes_.size(); ++at)
    setup_.loops[at]->post([this, at, done] { setup_.shards[at]->tell_connected(done); });
}

}  // namespace gnomon::server
