#include "broker/homes.h"

#include <utility>

#include "base/log.h"

namespace gnomon::broker {

namespace {
constexpr char connection_table = 1, tenant = 0;
constexpr char record_version = 1;
}  // namespace

std::string Homes::record_key(const std::string& client_id) {
  const auto slot = partition::slot_of(partition::KeyKind::client_id, client_id);
  std::string key{connection_table, tenant, static_cast<char>(slot.value)};
  return key += client_id;
}

Home& Homes::home_of(const std::string& client_id) {
  auto& home = homes_[partition::slot_of(partition::KeyKind::client_id, client_id).value];
  if (home == nullptr) home = std::make_unique<Home>();
  return *home;
}

void Homes::handle(const Claim& claim) {
  // A newer claim replaces an older one that still waits, its will included.
  if (!claim.will.empty()) {
    waiting_wills_.insert_or_assign(claim.client_id, claim.will);
  } else if (!waiting_wills_.empty()) {
    waiting_wills_.erase(claim.client_id);
  }
  home_of(claim.client_id).claim(claim, effects_);
  dispatch(claim.client_id);
}

void Homes::handle(const Release& mail) { release(mail.client_id, mail.connection); }

void Homes::release(const std::string& client_id, const ConnectionRef& connection) {
  Home& home = home_of(client_id);
  const auto* holder = home.holder(client_id);
  if (holder == nullptr || !(*holder == connection)) return;
  if (recorded_.erase(client_id) > 0) {
    committer_.batch().operations.emplace_back(store::Erase{record_key(client_id)});
  }
  home.release(client_id, connection, effects_);
  dispatch(client_id);
}

void Homes::dispatch(const std::string& client_id) {
  for (Addressed& effect : effects_) {
    const auto* grant = std::get_if<Grant>(&effect.mail);
    auto will = grant == nullptr ? waiting_wills_.end() : waiting_wills_.find(client_id);
    if (will == waiting_wills_.end()) {
      ready_now_.push_back(std::move(effect));
      continue;
    }
    // Record {version, generation, will}: after a restart a will without its connection is due.
    std::string record{record_version};
    for (int shift = 0; shift < 64; shift += 8) {
      record.push_back(static_cast<char>(grant->generation >> shift));
    }
    record += will->second;
    waiting_wills_.erase(will);
    committer_.batch().operations.emplace_back(
        store::Put{record_key(client_id), std::move(record)});
    recorded_.insert(client_id);
    committer_.after({std::move(effect), client_id});
  }
  effects_.clear();
}

void Homes::commit(std::vector<Addressed>& out) {
  if (!committer_.idle()) {
    auto committed = committer_.commit(ready_, failed_);
    if (!committed) log_error("store_refused", {{"what", committed.error().message}});
    for (Outcome& outcome : ready_) ready_now_.push_back(std::move(outcome.addressed));
    ready_.clear();
    // Nothing is acknowledged that is not written: the connections are refused instead.
    for (Outcome& outcome : std::exchange(failed_, {})) {
      const ConnectionRef connection = std::get<Grant>(outcome.addressed.mail).connection;
      ready_now_.push_back({connection.shard, Deny{connection, mqtt::Reason::quota_exceeded}});
      recorded_.erase(outcome.client_id);
      release(outcome.client_id, connection);
    }
  }
  for (Addressed& addressed : ready_now_) out.push_back(std::move(addressed));
  ready_now_.clear();
}

void Homes::durable(store::Sequence sequence, std::vector<Addressed>& out) {
  committer_.durable(sequence, ready_);
  for (Outcome& outcome : ready_) out.push_back(std::move(outcome.addressed));
  ready_.clear();
}

std::size_t Homes::size() const {
  std::size_t total = 0;
  for (const auto& home : homes_) total += home == nullptr ? 0 : home->size();
  return total;
}

}  // namespace gnomon::broker
