// Model test of what is promised: clients with and without sessions publish and subscribe with all
// QoS while the store syncs late, loses power at any moment and starts again. Checked is what
// DESIGN says of each acknowledgement: what was acknowledged arrives, with QoS 2 once; nothing
// arrives that was not published or not asked for; each publisher's order holds; wills go out when
// their connection does not return; a retained value that was acknowledged is there.
#include <charconv>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "broker/durable_fixture.h"
#include "broker/records.h"
#include "topic/topic.h"

namespace gnomon::broker {
namespace {

using testing::Broker;
using testing::Device;
using testing::Recorder;

const std::vector<std::string> filters{"a/b", "a/+", "a/#", "#", "b", "+/b", "r/#"};
const std::vector<std::string> topics{"a/b", "a/c", "b", "x"};
constexpr std::uint32_t hour = 3600;
constexpr std::chrono::seconds grace{5};

struct Subscription {
  std::uint8_t qos = 0;
  bool sure = false;         // SUBACK seen, and no UNSUBSCRIBE sent
  bool maybe = false;        // asked for, and not confirmed to be gone
  std::uint64_t until = 0;   // what was published before may still match
  std::uint64_t change = 0;  // grows whenever `sure` ends
};

// One that was sure to match when the message was published.
struct Match {
  std::size_t receiver;
  std::string filter;
  std::uint64_t change;
};

struct Published {
  std::size_t publisher = 0;
  int number = 0;
  std::string topic;
  std::uint8_t qos = 0;
  bool retain = false, resent = false, acknowledged = false;
  std::uint64_t at = 0;
  std::vector<Match> matches;
};

// Of a topic that one device retains values under, with one QoS.
struct RetainedTopic {
  int acknowledged = 0, last = 0;  // numbers; 0: none
  std::set<int> removals;
};

struct Modelled {
  std::unique_ptr<Device> device;
  bool persistent = false;
  bool starting_clean = false;  // the last CONNECT said so
  bool is_clean = false;        // the last CONNECT asked for a session that ends with it
  bool session = false;         // one is sure to exist
  bool normal_end = false;      // DISCONNECT was the end of the last connection, and no crash since
  std::uint64_t connected = 0;  // when the last CONNACK came
  int number = 0, wills = 0;
  std::string will;  // of the last connection; empty: none
  std::map<std::string, Subscription> subscriptions;
  std::set<std::string> due;
  std::map<std::string, int> seen;  // by payload
  // By publisher, and the QoS as published and as received (MQTT 5 §4.6).
  std::map<std::tuple<std::size_t, std::uint8_t, std::uint8_t>, int> newest;
};

class World final : public Device::Watcher {
 public:
  World(std::uint64_t seed, int shards)
      : random_(seed), broker_(shards, seed, profile(), std::make_unique<store::LossyStore>()) {
    for (std::size_t i = 0; i < 6; ++i) {
      Modelled& m = all_.emplace_back();
      m.persistent = i < 4;
      const auto version = random_.below(2) == 0 ? mqtt::Version::v311 : mqtt::Version::v5;
      m.device = std::make_unique<Device>(*this, id_for(i), version);
      m.device->settings.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(6));
      broker_.network.set_splitting(random_.below(4) == 0);
    }
  }

  void run(int actions) {
    for (int i = 0; i < actions && !failed_; ++i) act();
    everybody_comes_back();
    if (failed_) return;
    for (Modelled& m : all_) {
      if (m.is_clean) continue;
      CHECK_MESSAGE(m.due.empty(), m.device->id, " missed ", *m.due.begin());
    }
    nothing_is_left();
    retained_values_are_there();
    wills_after_a_crash();
  }

 private:
  static Profile profile() {
    Profile profile;
    profile.will_grace = grace;
    return profile;
  }

  // Often of the slot of the first one, so that bodies are shared.
  std::string id_for(std::size_t index) {
    const bool same_slot = index > 0 && random_.below(2) == 0;
    const auto slot_of = [](const std::string& id) {
      return partition::slot_of(partition::KeyKind::client_id, id);
    };
    for (std::uint64_t number = random_.below(1000);; ++number) {
      std::string id = "id" + std::to_string(number * 6 + index);
      if (!same_slot || slot_of(id) == slot_of(all_[0].device->id)) return id;
    }
  }

  // ---- what happens

  void act() {
    for (Modelled& m : all_) {
      if (random_.below(2) == 0) m.device->poll();
      if (random_.below(3) == 0) m.device->answer(random_.below(4));
    }
    const auto what = random_.below(200);
    Modelled& m = all_[random_.below(all_.size())];
    if (what < 2) return crash();
    if (what < 16) return static_cast<void>(broker_.sync());
    if (what == 16) return settle();
    if (what == 17) return broker_.network.advance(std::chrono::milliseconds(random_.below(4000)));
    if (!m.device->linked()) return what < 80 ? connect(m) : step();
    if (what < 24) return end(m);
    if (!m.device->online()) return step();
    if (what < 40) return subscribe(m);
    if (what < 46) return unsubscribe(m);
    if (what < 120) return publish(m);
    step();
  }
  void step() {
    for (std::uint64_t i = random_.below(6); i > 0; --i) broker_.network.step();
  }
  // All that can happen without a client's doing, and all that was erased is durably so.
  void settle() {
    broker_.run();
    static_cast<void>(broker_.store->sync());
    for (Modelled& m : all_) {
      if (m.normal_end && !m.will.empty() && all_wills_[m.will] == 0) forbidden_.insert(m.will);
    }
  }
  void crash() {
    for (Modelled& m : all_) {
      // What has reached the client before, it has seen; what it says now is lost.
      if (random_.below(2) == 0) m.device->poll();
      if (m.device->linked()) m.device->drop();
      m.normal_end = false;
      lost(m);
    }
    broker_.crash(random_);
  }

  void connect(Modelled& m, bool with_will = false) {
    const bool clean = !m.persistent || random_.below(12) == 0;
    if (clean) give_up(m);
    m.starting_clean = clean;
    m.is_clean = clean && (!m.persistent || m.device->version == mqtt::Version::v311);
    m.normal_end = false;
    m.will.clear();
    std::optional<mqtt::Will> will;
    std::string topic;
    if (with_will || random_.below(3) == 0) {
      topic = "w/" + m.device->id;
      m.will = "will:" + m.device->id + ":" + std::to_string(++m.wills);
      all_wills_[m.will] = 0;
      will.emplace();
      will->topic = topic;
      will->payload = as_bytes(m.will);
      will->qos = static_cast<std::uint8_t>(1 + random_.below(2));
      will->delay_seconds = random_.below(3) == 0 ? 2 : 0;
    }
    broker_.next_shard = random_.below(broker_.shards.size());
    m.device->connect(broker_, clean, m.persistent ? hour : 0, will);
  }
  // The session ends, by a clean start or because it was clean: nothing is owed to it any more.
  void give_up(Modelled& m) {
    m.due.clear();
    m.session = false;
    for (auto& [filter, s] : m.subscriptions) {
      s.sure = false;
      ++s.change;
    }
  }
  // A clean start is known to have happened: nothing of the session before it may come.
  void begin(Modelled& m) {
    for (auto& [filter, s] : m.subscriptions) {
      s.maybe = false;
      s.until = 0;
    }
    m.newest.clear();
    m.seen.clear();
  }
  void end(Modelled& m) {
    if (random_.below(3) > 0) {
      m.device->drop();
    } else {
      m.normal_end = m.device->online();
      m.device->disconnect();
    }
    lost(m);
  }
  void lost(Modelled& m) {
    if (m.is_clean) give_up(m);
  }

  void subscribe(Modelled& m) {
    const std::string& filter = filters[random_.below(filters.size())];
    if (m.device->asking(filter)) return;
    Subscription& s = m.subscriptions[filter];
    // The same QoS each time, so that it is known with which one each message comes.
    s.qos = static_cast<std::uint8_t>((filter.size() + m.device->id.back()) % 3);
    s.maybe = true;
    m.device->subscribe(filter, s.qos);
  }
  void unsubscribe(Modelled& m) {
    const std::string& filter = filters[random_.below(filters.size())];
    Subscription& s = m.subscriptions[filter];
    if (!s.maybe || m.device->asking(filter)) return;
    s.sure = false;
    ++s.change;
    std::erase_if(m.due, [&](const std::string& p) { return !owed(published_.at(p), m); });
    m.device->unsubscribe(filter);
  }
  void publish(Modelled& m) {
    if (m.device->unacknowledged() > 50) return;
    const auto index = static_cast<std::size_t>(&m - all_.data());
    Published p;
    p.publisher = index;
    p.number = ++m.number;
    p.qos = static_cast<std::uint8_t>(random_.below(3));
    p.retain = p.qos > 0 && random_.below(4) == 0;
    p.at = ++now_;
    p.topic = topics[random_.below(topics.size())];
    std::string payload = std::to_string(index) + ":" + std::to_string(p.number);
    if (random_.below(4) == 0) payload.append(300, ' ');
    bool removes = false;
    if (p.retain) {
      p.topic = "r/" + std::to_string(index) + "/" + std::to_string(p.qos);
      RetainedTopic& retained = retained_[p.topic];
      retained.last = p.number;
      removes = random_.below(3) == 0;
      if (removes) retained.removals.insert(p.number);
    }
    for (std::size_t i = 0; i < all_.size() && !removes; ++i) {
      for (auto& [filter, s] : all_[i].subscriptions) {
        if (s.sure && topic::matches(filter, p.topic)) p.matches.push_back({i, filter, s.change});
      }
    }
    const std::string topic = p.topic;
    const std::uint8_t qos = p.qos;
    const bool retain = p.retain;
    published_[payload] = std::move(p);
    m.device->publish(topic, removes ? std::string() : payload, qos, retain, payload);
  }

  // ---- what is seen

  void connected(Device& device, bool session_present) override {
    Modelled& m = of(device);
    check(!session_present || !m.starting_clean, device, "got a session that it did not want");
    check(session_present || !m.session, device, "lost its session");
    if (m.starting_clean) begin(m);
    m.connected = ++now_;
    m.session = !m.is_clean;
  }
  void subscribed(Device& device, const std::string& filter) override {
    of(device).subscriptions[filter].sure = true;
  }
  void unsubscribed(Device& device, const std::string& filter) override {
    Subscription& s = of(device).subscriptions[filter];
    s.maybe = s.sure = false;
    s.until = ++now_;
  }
  // A CONNECT of its own that it has given up came later than this one: they race to the home of
  // the client id.
  void ended(Device& device) override { lost(of(device)); }
  void problem(Device& device, const std::string& what) override { check(false, device, what); }
  void resent(Device&, const Device::Sent& sent) override {
    if (!sent.released) published_.at(sent.name).resent = true;
  }
  void acknowledged(Device&, const Device::Sent& sent) override {
    Published& p = published_.at(sent.name);
    p.acknowledged = true;
    if (p.retain) retained_[p.topic].acknowledged = p.number;
    for (const Match& match : p.matches) {
      Modelled& receiver = all_[match.receiver];
      if (receiver.is_clean || receiver.seen.contains(sent.name)) continue;
      if (owed(p, receiver)) receiver.due.insert(sent.name);
    }
  }
  // A subscription that it matched when it was published is still there.
  bool owed(const Published& p, Modelled& receiver, bool with_qos0 = false) {
    for (const Match& match : p.matches) {
      if (&all_[match.receiver] != &receiver) continue;
      const Subscription& s = receiver.subscriptions[match.filter];
      if (s.sure && s.change == match.change && (with_qos0 || s.qos > 0)) return true;
    }
    return false;
  }

  void received(Device& device, const Device::Receipt& got) override {
    Modelled& m = of(device);
    if (got.payload.starts_with("will:")) return received_will(m, got);
    if (got.payload.empty() || only_wills_) return;
    const auto found = published_.find(got.payload);
    check(found != published_.end(), device, got.payload + " was never published");
    if (failed_) return;
    const Published& p = found->second;
    check(got.topic == p.topic, device, got.payload + " came under " + got.topic);
    std::uint8_t qos = 0;
    bool wanted = false;
    for (auto& [filter, s] : m.subscriptions) {
      if (!topic::matches(filter, got.topic) || !(s.maybe || p.at < s.until)) continue;
      wanted = true;
      qos = std::max(qos, s.qos);
    }
    check(wanted, device, got.payload + " came without a subscription");
    check(got.qos <= std::min(qos, p.qos), device, got.payload + " came with too high a QoS");
    check(!got.dup || p.at < m.connected, device, got.payload + " cannot have been sent before");
    if (got.retain) return;  // replayed: as often as it subscribes
    const int before = m.seen[got.payload]++;
    m.due.erase(got.payload);
    check(before == 0 || p.qos < 2 || got.qos < 2, device, got.payload + " came twice");
    int& newest = m.newest[{p.publisher, p.qos, got.qos}];
    // Sent again, it may have found a receiver that it did not have at first.
    const bool may_be_late = p.resent && (got.qos == 0 || !owed(p, m));
    check(before > 0 || p.number > newest || may_be_late, device,
          got.payload + " came after number " + std::to_string(newest));
    newest = std::max(newest, p.number);
  }
  void received_will(Modelled& m, const Device::Receipt& got) {
    const auto will = all_wills_.find(got.payload);
    check(will != all_wills_.end(), *m.device, got.payload + " was never left");
    check(!forbidden_.contains(got.payload), *m.device, got.payload + " came all the same");
    if (failed_) return;
    ++will->second;
    const int before = m.seen[got.payload]++;
    check(before == 0 || got.qos < 2, *m.device, got.payload + " came twice");
  }

  void check(bool good, Device& device, const std::string& what) {
    if (good || failed_) return;
    failed_ = true;  // the rest would only repeat it
    FAIL_CHECK(device.id << ": " << what);
  }
  Modelled& of(Device& device) {
    for (Modelled& m : all_) {
      if (m.device.get() == &device) return m;
    }
    throw std::logic_error("a device that the model does not know");
  }

  // ---- at the end

  void talk() {
    for (bool quiet = false; !quiet && !failed_;) {
      broker_.run();  // not settle(): who waits must have asked for the sync
      quiet = true;
      for (Modelled& m : all_) {
        quiet = quiet && !m.device->waits();
        m.device->poll();
        m.device->answer(SIZE_MAX);
      }
    }
  }
  void everybody_comes_back() {
    for (int tries = 3; tries > 0; --tries) {
      for (Modelled& m : all_) {
        if (!m.device->linked()) connect(m);
      }
      talk();
    }
    for (Modelled& m : all_) check(m.device->online(), *m.device, "is not online");
    broker_.network.advance(grace + std::chrono::seconds(3));
    talk();
  }
  // Everything is acknowledged: nothing of it stays in the store.
  void nothing_is_left() {
    using records::Table;
    for (const auto& [table, name] :
         std::initializer_list<std::pair<Table, std::string>>{{Table::queue, "queue"},
                                                              {Table::body, "body"},
                                                              {Table::received, "received"},
                                                              {Table::forward, "forward"}}) {
      int left = 0;
      const std::string begin(1, static_cast<char>(table));
      static_cast<void>(broker_.store->scan(begin, records::behind(begin), [&](auto, auto) {
        ++left;
        return true;
      }));
      CHECK_MESSAGE(left == 0, left, " records are left in the table ", name);
    }
  }
  void retained_values_are_there() {
    crash();
    Recorder recorder;
    Device reader(recorder, "reader", mqtt::Version::v5);
    reader.connect(broker_, true, 0);
    broker_.run();
    reader.poll();
    reader.subscribe("r/#", 0);
    broker_.run();
    reader.poll();
    for (auto& [topic, r] : retained_) {
      std::set<int> numbers;
      for (const auto& got : recorder.receipts) {
        if (got.topic == topic) numbers.insert(number_of(got.payload));
      }
      CHECK_MESSAGE(numbers.size() <= 1, topic, " is retained twice");
      if (numbers.empty()) {
        // Removed, or there never was one that was acknowledged.
        const bool removed = r.acknowledged == 0 || r.removals.contains(r.acknowledged) ||
                             r.removals.upper_bound(r.acknowledged) != r.removals.end();
        CHECK_MESSAGE(removed, topic, " is not retained, ", r.acknowledged, " was acknowledged");
      } else {
        const bool new_enough = *numbers.begin() >= r.acknowledged;
        CHECK_MESSAGE(new_enough, topic, " has ", *numbers.begin(), ", not ", r.acknowledged);
        const bool is_value = !r.removals.contains(*numbers.begin());
        CHECK(is_value);
      }
    }
  }
  static int number_of(const std::string& payload) {
    int number = 0;
    const auto colon = payload.find(':');
    std::from_chars(payload.data() + colon + 1, payload.data() + payload.size(), number);
    return number;
  }

  // Of those that were connected with a will: who returns in time takes it back, who said goodbye
  // has, and that of the others comes, once, through another crash.
  void wills_after_a_crash() {
    Recorder recorder;
    Device watcher(recorder, "watcher", mqtt::Version::v5);
    const auto attend = [&](bool subscribe) {
      broker_.next_shard = random_.below(broker_.shards.size());
      watcher.connect(broker_, false, hour);
      for (int i = 0; i < 6; ++i) {
        broker_.run();
        watcher.poll();
        watcher.answer(SIZE_MAX);
        if (i == 0 && subscribe) watcher.subscribe("w/#", 2);
      }
    };
    only_wills_ = true;
    for (Modelled& m : all_) {
      if (m.device->linked()) m.device->drop();
      connect(m, true);
    }
    attend(true);
    talk();
    if (failed_) return;
    std::map<std::string, int> expected;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      expected[all_[i].will] = i % 3 == 0 ? 1 : 0;
      if (i % 3 == 1) all_[i].device->disconnect();
    }
    settle();
    recorder.receipts.clear();
    watcher.drop();
    crash();
    for (std::size_t i = 2; i < all_.size(); i += 3) connect(all_[i]);
    attend(false);
    talk();
    broker_.network.advance(grace + std::chrono::seconds(3));
    if (random_.below(2) == 0) broker_.run();
    watcher.drop();
    crash();
    attend(false);
    broker_.network.advance(grace + std::chrono::seconds(3));
    broker_.run();
    attend(false);
    std::map<std::string, int> got;
    for (const auto& receipt : recorder.receipts) ++got[receipt.payload];
    for (const auto& [will, times] : expected) {
      CHECK_MESSAGE(got[will] == times, will, " came ", got[will], " times, not ", times);
    }
  }
  SeededRandom random_;
  Broker broker_;
  std::vector<Modelled> all_;
  std::map<std::string, Published> published_;  // by payload; a removal's is empty on the wire
  std::map<std::string, RetainedTopic> retained_;
  std::map<std::string, int> all_wills_;  // how often each was received
  std::set<std::string> forbidden_;       // wills that were taken back
  std::uint64_t now_ = 0;                 // counts what the model must order
  bool only_wills_ = false;               // the rest has been checked
  bool failed_ = false;
};

TEST_CASE("model: what was acknowledged survives, over crashes and any order of mail") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    for (const int shards : {1, 2, 4}) {
      CAPTURE(seed);
      CAPTURE(shards);
      World(seed, shards).run(300);
    }
  }
}

}  // namespace
}  // namespace gnomon::broker
