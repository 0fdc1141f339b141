#include "broker/share.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"

namespace gnomon::broker {

namespace {

bool keeps_for(const Share::Member& member) {
  return member.id.number != 0 && member.options.qos > 0;
}

}  // namespace

// ---- members

void Share::Member::permit(std::shared_ptr<const Permissions> permissions) {
  permissions_ = std::move(permissions);
  answer_.reset();
}

bool Share::Member::may_receive(std::string_view topic) {
  if (!permissions_) return true;
  if (!answer_ || asked_ != topic || permissions_->changes_with_time()) {
    asked_.assign(topic);
    answer_ = permissions_->may_receive(topic);
  }
  return *answer_;
}

Share::Member* Share::find(const ShareMember& id) {
  const auto at = std::find_if(members_.begin(), members_.end(),
                               [&](const auto& member) { return member->id == id; });
  return at == members_.end() ? nullptr : at->get();
}

Share::Member& Share::join(const ShareMember& id, topic::Options options) {
  Member* member = find(id);
  if (member == nullptr) {
    member = members_.emplace_back(std::make_unique<Member>()).get();
    member->id = id;
  } else if (keeps_for(*member)) {
    --keeping_;
  }
  member->options = options;
  if (keeps_for(*member)) ++keeping_;
  return *member;
}

std::size_t Share::attend(Member& member, const ConnectionRef& connection, Generation generation,
                          int window) {
  if (member.online && member.connection == connection) return 0;
  const std::size_t returned = go_back(member);
  if (online_ == 0) drain_to_ = next_;
  if (!member.online) ++online_;
  member.online = true;
  member.connection = connection;
  member.generation = generation;
  member.window = std::min(window, limits::share_window);
  return returned;
}

std::size_t Share::depart(Member& member) {
  if (!member.online) return 0;
  member.online = false;
  --online_;
  const std::size_t returned = go_back(member);
  if (online_ == 0) forget_stored();
  return returned;
}

std::size_t Share::leave(Member& member) {
  const std::size_t returned = depart(member);
  if (keeps_for(member)) --keeping_;
  const auto at = std::find_if(members_.begin(), members_.end(),
                               [&](const auto& each) { return each.get() == &member; });
  members_.erase(at);
  return returned;
}

// What the member had and did not acknowledge: QoS 1 goes back to its place in the queue, QoS 2
// was its own (MQTT 5 §4.8.2).
std::size_t Share::go_back(Member& member) {
  std::deque<Waiting> back;
  for (auto at = flight_.begin(); member.flying > 0 && at != flight_.end();) {
    Flight& flight = at->second;
    if (flight.member != &member) {
      ++at;
      continue;
    }
    if (!flight.message.message.empty()) back.push_back(std::move(flight.message));
    at = flight_.erase(at);
    --member.flying;
  }
  member.bytes = 0;
  if (back.empty()) return 0;
  const auto earlier = [](const Waiting& a, const Waiting& b) { return a.sequence < b.sequence; };
  std::sort(back.begin(), back.end(), earlier);
  for (const Waiting& message : back) ready_bytes_.add(message.message.size());
  const std::size_t returned = back.size();
  std::deque<Waiting> merged;
  std::merge(std::make_move_iterator(back.begin()), std::make_move_iterator(back.end()),
             std::make_move_iterator(ready_.begin()), std::make_move_iterator(ready_.end()),
             std::back_inserter(merged), earlier);
  ready_.swap(merged);
  return returned;
}

// Nobody is here: what is in the store need not be in memory.
void Share::forget_stored() {
  while (!ready_.empty() && ready_.back().stored) {
    loaded_ = ready_.back().sequence;
    ready_bytes_.take(ready_.back().message.size());
    ready_.pop_back();
  }
}

// ---- the queue

std::uint64_t Share::first() const {
  return ready_.empty() ? loaded_ : std::min(loaded_, ready_.front().sequence);
}

void Share::add(Waiting message) {
  message.sequence = next_++;
  ++count_;
  bytes_ += message.size;
  const bool caught_up = loaded_ + 1 == next_;
  const bool useful = online_ > 0 && ready_bytes_.has_room();
  if (message.stored && !(caught_up && useful)) return;
  push(std::move(message));
}

void Share::found(std::uint64_t sequence, std::size_t size) {
  if (count_ == 0 && loaded_ == next_) loaded_ = sequence;
  next_ = sequence + 1;
  ++count_;
  bytes_ += size;
}

bool Share::wants_page() const {
  return loaded_ < next_ && online_ > 0 && ready_bytes_.is_half_empty();
}

void Share::push(Waiting message) {
  loaded_ = message.sequence + 1;
  ready_bytes_.add(message.message.size());
  ready_.push_back(std::move(message));
}

void Share::loaded_to(std::uint64_t sequence) { loaded_ = std::max(loaded_, sequence); }

void Share::erased(const Waiting& message) {
  --count_;
  bytes_ -= std::min<std::uint64_t>(bytes_, message.size);
}

// ---- giving out

bool Share::has_room(const Member& member) {
  return member.online && member.flying < member.window &&
         (member.flying == 0 || member.bytes < limits::share_flight_bytes);
}

Share::Member* Share::taker(std::string_view topic, Instant now) {
  const bool slowly = drains();
  for (std::size_t tried = 0; tried < members_.size(); ++tried) {
    turn_ = (turn_ + 1) % members_.size();
    Member& member = *members_[turn_];
    if (!has_room(member) || !member.may_receive(topic)) continue;
    if (!slowly || member.drained.take(now, drained_per_second_)) return &member;
  }
  return nullptr;
}

bool Share::is_barred(std::string_view topic) {
  return online_ > 0 && std::ranges::none_of(members_, [&](const auto& member) {
           return member->online && member->may_receive(topic);
         });
}

std::optional<Instant> Share::next_taker(std::string_view topic, Instant now) {
  std::optional<Instant> next;
  if (!drains()) return next;
  for (const auto& member : members_) {
    if (!has_room(*member) || !member->may_receive(topic)) continue;
    const Instant at = now + member->drained.wait(now, drained_per_second_);
    if (!next || at < *next) next = at;
  }
  return next;
}

Share::Member* Share::anybody(std::string_view topic) {
  Member* without_room = nullptr;
  for (std::size_t tried = 0; online_ > 0 && tried < members_.size(); ++tried) {
    turn_ = (turn_ + 1) % members_.size();
    Member& member = *members_[turn_];
    if (!member.online || !member.may_receive(topic)) continue;
    if (has_room(member)) return &member;
    if (without_room == nullptr) without_room = &member;
  }
  return without_room;
}

Share::Waiting Share::drop() {
  Waiting message = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_.take(message.message.size());
  erased(message);
  return message;
}

Share::Waiting Share::take_front(Member& member) {
  Waiting message = std::move(ready_.front());
  ready_.pop_front();
  const std::size_t bytes = message.message.size();
  ready_bytes_.take(bytes);
  ++member.flying;
  member.bytes += bytes;
  flight_[message.sequence] = {&member, {}, bytes};
  return message;
}

const Share::Waiting& Share::lend(Member& member) {
  Waiting message = take_front(member);
  Waiting& lent = flight_[message.sequence].message;
  lent = std::move(message);
  return lent;
}

Share::Waiting Share::give(Member& member) {
  Waiting message = take_front(member);
  erased(message);
  return message;
}

std::optional<Share::Waiting> Share::finish(std::uint64_t sequence,
                                            const ConnectionRef& connection) {
  const auto at = flight_.find(sequence);
  if (at == flight_.end() || !(at->second.member->connection == connection)) return std::nullopt;
  Flight flight = std::move(at->second);
  flight_.erase(at);
  --flight.member->flying;
  flight.member->bytes -= flight.bytes;
  if (!flight.message.message.empty()) erased(flight.message);
  return std::move(flight.message);
}

bool Share::decline(std::uint64_t sequence, const ConnectionRef& connection) {
  const auto at = flight_.find(sequence);
  if (at == flight_.end() || !(at->second.member->connection == connection)) return false;
  if (at->second.message.message.empty()) return false;
  Flight flight = std::move(at->second);
  flight_.erase(at);
  --flight.member->flying;
  flight.member->bytes -= flight.bytes;
  ready_bytes_.add(flight.bytes);
  const auto place = std::ranges::upper_bound(ready_, sequence, {}, &Waiting::sequence);
  ready_.insert(place, std::move(flight.message));
  return true;
}

}  // namespace gnomon::broker
