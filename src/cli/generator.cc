// Generator: its turns, the packets it takes, publishing. What is measured is in load.cc.
#include "cli/generator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/epoll.h>

namespace gnomon::cli {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t send_bytes = 64 * KiB;  // of one publisher at once

// A packet of two bytes of content: an acknowledgement without properties.
void answer(LoadClient& client, std::uint8_t first, std::uint16_t id) {
  const std::array<std::uint8_t, 4> packet{first, 2, static_cast<std::uint8_t>(id >> 8),
                                           static_cast<std::uint8_t>(id)};
  client.output.append(packet);
}
}  // namespace

// ---- turns

void Generator::run_for(const char* doing, const std::uint64_t& progress, Duration time) {
  const Instant until = clock_.now() + time;
  run_until(doing, progress, Duration::max(), [&] { return now_ >= until; });
}

void Generator::tell(const char* doing, std::uint64_t done) {
  if (done < told_done_) told_done_ = 0;
  const double seconds = std::chrono::duration<double>(now_ - told_).count();
  if (told_.ns != 0)
    progress_({doing, now_ - began_, done,
               static_cast<std::uint64_t>(static_cast<double>(done - told_done_) / seconds)});
  told_ = now_;
  told_done_ = done;
  report_.resident_peak = std::max(report_.resident_peak, resident_bytes(options().pid));
}

void Generator::turn() {
  while (opened_ < open_limit_ && handshaking_ < options().burst && !failure_) {
    open(clients_[opened_++]);
  }
  for (LoadClient* client : again_) open(*client);
  again_.clear();
  Duration wait = to_pump_.empty() ? 10ms : 0ms;
  if (publishing_ && options().rate) wait = std::min(wait, pace());
  std::array<epoll_event, 512> events;
  const timespec timeout{0, wait.count()};
  const int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    on_event(*static_cast<LoadClient*>(event.data.ptr), event.events);
  }
  pumping_.swap(to_pump_);
  for (LoadClient* client : pumping_) {
    client->queued = false;
    if (publishing_ && !options().rate) pump(*client);
  }
  pumping_.clear();
  if (count <= 0 || ++turns_ % 32 == 0) now_ = clock_.now();
}

void Generator::open(LoadClient& client) {
  if (options().shape == Shape::connects) client.opened = clock_.now();
  check(client.open(target_));
  ++handshaking_;
}

void Generator::on_event(LoadClient& client, std::uint32_t events) {
  using State = LoadClient::State;
  if (client.state == State::closed) return;
  if ((events & EPOLLOUT) != 0) {
    check(client.on_writable());
    if (client.state == State::closed) return close(client);
    if (client.publisher && client.state == State::ready) credit(client);
  }
  if (client.state != State::connecting && (events & ~EPOLLOUT) != 0) on_readable(client);
}

void Generator::on_readable(LoadClient& client) {
  // What was left over goes in front of what is read, so that packets are whole in one place.
  const std::size_t left = client.partial.size();
  std::memcpy(input_.get(), client.partial.data(), left);
  const auto got =
      client.receive({input_.get() + left, input_bytes - left}, {wire_.get(), wire_bytes});
  if (!got) return check(got.error());
  if (!*got) return close(client);
  client.partial.clear();
  ByteView in(input_.get(), left + **got);
  if (client.state == LoadClient::State::handshake) {
    check(client.on_handshake_bytes(in, incoming_));
    if (client.state == LoadClient::State::ready) on_ready(client);
  }
  if (client.state == LoadClient::State::ready) {
    Frame frame;
    while (take_frame(in, frame)) on_frame(client, frame);
    client.partial.append(in);
  }
  if (!client.output.empty()) client.flush();
  if (client.state == LoadClient::State::closed) close(client);
}

void Generator::on_ready(LoadClient& client) {
  ++ready_;
  if (options().shape == Shape::connects) {
    report_.latency.add(clock_.now() - client.opened);
    if (client.resumed) ++report_.resumed;
  }
  if (client.leaves) return client.leave();
  --handshaking_;
}

void Generator::close(LoadClient& client) {
  if (client.state == LoadClient::State::leaving) {
    --handshaking_;
    ++left_;
    if (reconnecting_) again_.push_back(&client);
  } else {
    ++report_.closed;
  }
  client.close();
}

void Generator::on_frame(LoadClient& client, const Frame& frame) {
  using mqtt::PacketType;
  if (frame.type() == PacketType::publish) return on_publish(client, frame);
  if (frame.body.size() < 2) return;
  const std::uint16_t id = read_u16(frame.body, 0);
  switch (frame.type()) {
    case PacketType::puback:
    case PacketType::pubrec: {
      // In the order of the PUBLISHes (MQTT 5 §4.6), so it is for the oldest that has none.
      if (id != client.received++ % 65535 + 1) ++report_.wrong_acks;
      if (frame.type() == PacketType::puback || frame.refuses()) return acknowledged(client, frame);
      return answer(client, 0x62, id);
    }
    case PacketType::pubrel:
      return answer(client, 0x70, id);
    case PacketType::pubcomp:
      return acknowledged(client, frame);
    case PacketType::suback:
      if ((frame.body.back() & 0x80) != 0)
        check(Error{Code::unavailable,
                    "the broker refused to subscribe to " + client.filters.front()});
      return;
    default:
      return;
  }
}

void Generator::acknowledged(LoadClient& publisher, const Frame& frame) {
  if (frame.refuses()) {
    ++report_.refused;
    if (options().shape == Shape::mesh)
      publisher.refusals.push_back(static_cast<std::uint32_t>(publisher.acknowledged));
  }
  ++publisher.acknowledged;
  ++acknowledged_;
  credit(publisher);
}

void Generator::on_publish(LoadClient& client, const Frame& frame) {
  const ByteView body = frame.body;
  if (!shadows()) ++report_.delivered;
  if (body.size() < 2) return;
  std::size_t at = 2U + read_u16(body, 0);
  if (frame.qos() > 0) {
    if (at + 2 > body.size()) return;
    answer(client, frame.qos() == 1 ? 0x40 : 0x50, read_u16(body, at));  // PUBACK, PUBREC
    at += 2;
  }
  if (options().version == mqtt::Version::v5) {
    std::size_t properties = 0;
    if (!read_variable(body, at, properties)) return;
    at += properties;
  }
  if (shadows()) {
    if (at > body.size()) return;
    const std::string_view text = as_text(body);
    return on_shadow(client, text.substr(2, read_u16(body, 0)), text.substr(at));
  }
  Stamp stamp;
  if (at + sizeof stamp > body.size()) return;
  std::memcpy(&stamp, body.data() + at, sizeof stamp);
  if (stamp.publisher >= publishers_.size()) return;
  if (options().shape == Shape::mesh) {
    on_mesh_stamp(client, stamp);
  } else {
    on_stamp(client, stamp);
  }
}

void Generator::on_stamp(LoadClient& client, const Stamp& stamp) {
  LoadClient& publisher = *publishers_[stamp.publisher];
  if (options().shape == Shape::retained) {
    // Topics have no order, but each comes once.
    const std::size_t topic = stamp.publisher + std::size_t{publisher.stride} * stamp.sequence;
    if (topic >= client.seen.size()) return;
    if (client.seen[topic]) ++report_.out_of_order;
    client.seen[topic] = true;
    return;
  }
  ++publisher.delivered;
  std::uint32_t& next = client.next[client.next.size() == 1 ? 0 : stamp.publisher];
  if (stamp.sequence != next) ++report_.out_of_order;
  next = stamp.sequence + client.step;
  if (options().rate)
    report_.latency.add(clock_.now() - Instant{stamp.sent_ns});
  else
    credit(publisher);
}

// ---- publishing

// The publisher may perhaps publish again: it is asked at the end of the turn.
void Generator::credit(LoadClient& publisher) {
  if (publisher.queued) return;
  publisher.queued = true;
  to_pump_.push_back(&publisher);
}

std::uint64_t Generator::allowed(const LoadClient& publisher) const {
  const auto room = [](std::uint64_t limit, std::uint64_t used) {
    return limit > used ? limit - used : 0;
  };
  std::uint64_t count = publisher.quota - publisher.sent;
  count = std::min(count, room(options().window, publisher.sent - publisher.delivered / reach_));
  if (options().qos > 0)
    count = std::min(count, room(options().inflight, publisher.sent - publisher.acknowledged));
  return count;
}

void Generator::pump(LoadClient& publisher) {
  while (publisher.state == LoadClient::State::ready && !publisher.blocked()) {
    const std::uint64_t most = send_bytes / publisher.message_bytes() + 1;
    const std::uint64_t count = std::min(allowed(publisher), most);
    if (count == 0) return;
    const Instant sent = clock_.now();
    for (std::uint64_t i = 0; i < count; ++i) publisher.append_message(sent);
    publisher.flush();
    if (publisher.state == LoadClient::State::closed) return close(publisher);
    // Nothing else may end this when the broker keeps pace; the others have their turn.
    if (options().shape == Shape::mesh) return credit(publisher);
  }
}

// Publishes what is due by the timetable; returns how long until the next is.
Duration Generator::pace() {
  const double per_ns = static_cast<double>(*options().rate) / 1e9;
  const auto elapsed = static_cast<double>((clock_.now() - began_).count());
  const std::uint64_t due = std::min(static_cast<std::uint64_t>(elapsed * per_ns), planned_);
  for (; paced_ < due; ++paced_) {
    LoadClient& publisher = *publishers_[paced_ % publishers_.size()];
    if (publisher.state != LoadClient::State::ready) continue;
    publisher.append_message(clock_.now());
    if (!publisher.blocked()) publisher.flush();
    if (publisher.state == LoadClient::State::closed) close(publisher);
  }
  if (paced_ == planned_) return 10ms;
  const Instant next =
      began_ + Duration(static_cast<std::int64_t>(static_cast<double>(paced_ + 1) / per_ns));
  return std::max(next - clock_.now(), Duration(0));
}

}  // namespace gnomon::cli
