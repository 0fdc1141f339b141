// Model test of share groups: members with and without sessions come, go and crash with the server,
// while publishers of every QoS send to the groups. Checked is what MQTT 5 §4.8.2 and DESIGN say: a
// message goes to one member; what was acknowledged arrives, with QoS 2 once; nothing stays behind.
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "broker/durable_fixture.h"
#include "broker/records.h"

namespace gnomon::broker {
namespace {

using testing::Broker;
using testing::Device;

constexpr std::uint32_t hour = 3600;

struct Member {
  std::unique_ptr<Device> device;
  bool persistent = false;  // else its sessions are clean
  bool anchored = false;    // never leaves its group, so that nothing may be lost
  std::string filter;       // its only subscription
  std::uint8_t qos = 2;
  bool asked = false;  // has subscribed since its session began
  std::map<std::pair<std::size_t, int>, int> newest;
};

struct Published {
  std::size_t publisher = 0;
  int number = 0;
  std::uint8_t qos = 0;
  bool owed = false;  // the group had its anchor when this was published
  bool acknowledged = false;
  int receipts = 0;
};

class World final : public Device::Watcher {
 public:
  World(std::uint64_t seed, int shards)
      : random_(seed),
        calm_(seed % 5 == 0),
        big_(seed % 4 == 0),
        broker_(shards, seed, {}, std::make_unique<store::LossyStore>()) {
    // In "g" every session lasts and takes QoS 2, in "h" clean ones with QoS 1 come and go.
    const std::string g = "$share/g/g/#", h = "$share/h/h/+";
    add(true, true, g, 2);
    add(true, false, g, 2);
    add(true, false, g, 2);
    add(true, true, h, 1);
    add(false, false, h, 1);
    add(false, false, h, 1);
    for (int i = 0; i < 2; ++i) add(i == 0, false, "", 0);  // publishers
  }

  void run(int actions) {
    for (int i = 0; i < actions && !failed_; ++i) act();
    for (int tries = 3; tries > 0 && !failed_; --tries) {
      for (Member& m : all_) {
        if (!m.device->linked()) connect(m);
      }
      talk();
    }
    if (failed_) return;
    for (const auto& [payload, p] : published_) {
      const bool must = p.owed && p.acknowledged && p.qos > 0;
      CHECK_MESSAGE((p.receipts > 0 || !must), payload.substr(0, 9), " with QoS ", int{p.qos},
                    " did not arrive");
      const bool once = p.qos != 1 && (p.qos == 0 || payload[0] == 'g');
      CHECK_MESSAGE((p.receipts <= 1 || !(once || calm_)), payload.substr(0, 9), " with QoS ",
                    int{p.qos}, " came ", p.receipts, " times");
    }
    nothing_is_left();
    after_a_crash();
  }

 private:
  void add(bool persistent, bool anchored, const std::string& filter, std::uint8_t qos) {
    Member& m = all_.emplace_back();
    m.persistent = persistent;
    m.anchored = anchored;
    m.filter = filter;
    m.qos = qos;
    const auto version = random_.below(2) == 0 ? mqtt::Version::v311 : mqtt::Version::v5;
    const std::string id = "id" + std::to_string(random_.below(1000) * 10 + all_.size());
    m.device = std::make_unique<Device>(*this, id, version);
    m.device->settings.receive_maximum = static_cast<std::uint16_t>(1 + random_.below(5));
  }

  // ---- what happens

  void act() {
    for (Member& m : all_) {
      if (random_.below(2) == 0) m.device->poll();
      if (random_.below(3) == 0) m.device->answer(random_.below(4));
    }
    const auto what = random_.below(200);
    Member& m = all_[random_.below(all_.size())];
    if (what < 2) return crash();
    if (what < 20) return static_cast<void>(broker_.sync());
    if (!m.device->linked()) return what < 100 ? connect(m) : step();
    if (what < 30) return end(m);
    if (!m.device->online()) return step();
    if (m.filter.empty()) return what < 150 ? publish(m) : step();
    if (what < 60 && !m.device->asking(m.filter)) {
      if (!m.asked || random_.below(6) == 0) return subscribe(m);
      if (!m.anchored && !calm_ && random_.below(3) == 0) return unsubscribe(m);
    }
    step();
  }
  void step() {
    for (std::uint64_t i = random_.below(6); i > 0; --i) broker_.network.step();
  }
  void crash() {
    if (calm_) return;
    for (Member& m : all_) {
      if (random_.below(2) == 0) m.device->poll();
      if (m.device->linked()) m.device->drop();
      if (!m.persistent) m.asked = false;
    }
    broker_.crash(random_);
  }
  void connect(Member& m) {
    broker_.next_shard = random_.below(broker_.shards.size());
    m.device->connect(broker_, !m.persistent, m.persistent ? hour : 0);
  }
  void end(Member& m) {
    if (calm_) return;
    random_.below(3) > 0 ? m.device->drop() : m.device->disconnect();
    if (!m.persistent) m.asked = false;
  }
  void subscribe(Member& m) {
    m.asked = true;
    m.device->subscribe(m.filter, m.qos);
  }
  void unsubscribe(Member& m) {
    m.asked = false;
    m.device->unsubscribe(m.filter);
  }
  void publish(Member& m) {
    Published p;
    p.publisher = static_cast<std::size_t>(&m - all_.data());
    p.number = ++numbers_;
    p.qos = static_cast<std::uint8_t>(random_.below(3));
    const std::string topic = random_.below(2) == 0 ? "g/x" : "h/x";
    p.owed = anchors_.contains(topic[0]);
    std::string payload = topic.substr(0, 1) + std::to_string(p.number);
    if (big_) payload.append(100'000, ' ');  // a page is a few of these
    const std::uint8_t qos = p.qos;
    published_[payload] = p;
    m.device->publish(topic, payload, qos, false, payload);
  }

  // ---- what is seen

  void connected(Device& device, bool session_present) override {
    Member& m = of(device);
    if (!session_present) m.asked = false;
    if (m.anchored) check(session_present || !anchors_.contains(m.filter[7]), device, "lost it");
  }
  void subscribed(Device& device, const std::string&) override {
    const Member& m = of(device);
    if (m.anchored) anchors_.insert(m.filter[7]);
  }
  void unsubscribed(Device&, const std::string&) override {}
  void ended(Device& device) override {
    if (Member& m = of(device); !m.persistent) m.asked = false;
  }
  void problem(Device& device, const std::string& what) override { check(false, device, what); }
  void resent(Device&, const Device::Sent&) override {}
  void acknowledged(Device&, const Device::Sent& sent) override {
    published_.at(sent.name).acknowledged = true;
  }
  void received(Device& device, const Device::Receipt& got) override {
    Member& m = of(device);
    const auto found = published_.find(got.payload);
    check(found != published_.end(), device, got.payload + " was never published");
    if (failed_) return;
    Published& p = found->second;
    check(!m.filter.empty() && got.topic[0] == m.filter[7], device, got.payload + " is not its");
    check(got.qos <= std::min(m.qos, p.qos), device, got.payload + " came with too high a QoS");
    ++p.receipts;
    int& newest = m.newest[{p.publisher, got.qos}];
    check(!calm_ || p.number > newest || got.qos < p.qos, device,
          got.payload.substr(0, 9) + " is out of order");
    newest = std::max(newest, p.number);
  }

  void check(bool good, Device& device, const std::string& what) {
    if (good || failed_) return;
    failed_ = true;  // the rest would only repeat it
    FAIL_CHECK(device.id << ": " << what);
  }
  Member& of(Device& device) {
    for (Member& m : all_) {
      if (m.device.get() == &device) return m;
    }
    throw std::logic_error("a device that the model does not know");
  }

  // ---- at the end

  void talk() {
    for (bool quiet = false; !quiet && !failed_;) {
      broker_.run();
      quiet = true;
      for (Member& m : all_) {
        quiet = quiet && !m.device->waits();
        m.device->poll();
        m.device->answer(SIZE_MAX);
      }
    }
  }
  void nothing_is_left() {
    using records::Table;
    for (const Table table :
         {Table::queue, Table::received, Table::forward, Table::group, Table::hand}) {
      int left = 0;
      const std::string begin(1, static_cast<char>(table));
      static_cast<void>(broker_.store->scan(begin, records::behind(begin), [&](auto, auto) {
        ++left;
        return true;
      }));
      CHECK_MESSAGE(left == 0, left, " records are left in table ", static_cast<int>(table));
    }
    CHECK(broker_.total(Count::queued) == 0);
  }

  // Groups are there again at once, for every QoS.
  void after_a_crash() {
    calm_ = false;
    for (Member& m : all_) {
      if (m.device->linked()) m.device->drop();
    }
    broker_.crash(random_);
    for (Member& m : all_) {
      if (m.persistent) connect(m);
    }
    talk();
    const auto publisher =
        std::find_if(all_.begin(), all_.end(), [](const Member& m) { return m.filter.empty(); });
    const int before = numbers_;
    for (int i = 0; i < 12; ++i) publish(*publisher);
    talk();
    for (const auto& [payload, p] : published_) {
      if (p.number <= before || !p.owed) continue;
      CHECK_MESSAGE(p.receipts == 1, payload.substr(0, 9), " with QoS ", int{p.qos}, " came ",
                    p.receipts);
    }
  }

  SeededRandom random_;
  bool calm_;  // nobody goes, so nothing comes twice
  const bool big_;
  Broker broker_;
  std::vector<Member> all_;
  std::map<std::string, Published> published_;
  std::set<char> anchors_;  // groups that have theirs
  int numbers_ = 0;
  bool failed_ = false;
};

TEST_CASE("model: share groups lose nothing, over crashes and any order of mail") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    for (const int shards : {1, 2, 4}) {
      CAPTURE(seed);
      CAPTURE(shards);
      World(seed, shards).run(300);
    }
  }
}

}  // namespace
}  // namespace gnomon::broker
