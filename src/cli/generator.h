// What runs a load of `gnomon bench`. Internal to load.cc and generator.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "base/bytes.h"
#include "cli/frames.h"
#include "cli/load.h"
#include "cli/load_client.h"

namespace gnomon::cli {

// Generator: the clients, one epoll loop, and the measured run.
// Owner: run_load(); one thread, so that a delivery costs no atomic operation.
class Generator {
 public:
  // An unfinished packet, and what is read at once behind it.
  static constexpr std::size_t input_bytes = 2 * MiB, wire_bytes = 128 * KiB;
  static_assert(input_bytes > payload_bytes_max + net::TlsClient::plain_bytes(wire_bytes));
  static constexpr std::uint32_t sources_each = 20'000;  // connections of one source address
  static constexpr Duration delivery_stall = std::chrono::seconds(3);  // nothing more will come
  static constexpr Duration tell_every = std::chrono::milliseconds(250);

  Generator(const LoadOptions& options, const MonotonicClock& clock,
            const std::function<void(const LoadProgress&)>& progress)
      : clock_(clock), progress_(progress) {
    report_.options = options;
  }
  ~Generator() {
    clients_.clear();
    if (epoll_ >= 0) ::close(epoll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  Result<LoadReport> run();

 private:
  [[nodiscard]] const LoadOptions& options() const { return report_.options; }
  [[nodiscard]] bool connections() const { return options().shape == Shape::connections; }
  [[nodiscard]] bool shadows() const {
    return options().shape == Shape::shadows || options().shape == Shape::shadow_gets;
  }

  // ---- load.cc: what is measured
  [[nodiscard]] std::string number_of(std::uint32_t index) const;
  [[nodiscard]] std::string topic_of(std::uint32_t index) const;
  [[nodiscard]] std::string filter_of(std::uint32_t index) const;
  [[nodiscard]] std::uint64_t quota_of(std::uint32_t publisher) const;
  [[nodiscard]] std::uint32_t topics_of(std::uint32_t publisher) const;
  void make_clients();
  LoadClient& make_client(std::uint32_t index);
  void make_subscriber(std::uint32_t index);
  void make_publisher(std::uint32_t index);
  void run_messages();
  void run_connections();
  void publish();
  void store();
  void receive();
  void discard();
  // Connects the clients from … to-1.
  void connect(std::size_t from, std::size_t to);
  void begin();              // a part that is measured
  Spent end(Instant until);  // what it took since
  [[nodiscard]] CpuTime broker_cpu();

  // ---- load_connects.cc
  void make_connecting();
  void run_connects();

  // ---- load_mesh.cc
  void make_mesh();
  void run_mesh();
  void drain_mesh();
  void count_lost();
  void on_mesh_stamp(LoadClient& client, const Stamp& stamp);
  // Messages that a client did not get before it got a later one of the same publisher.
  struct Gap {
    std::uint32_t client, publisher, from, to;
  };
  void close_gap(const Gap& gap);
  [[nodiscard]] std::uint64_t kept_of(const Gap& gap) const;

  // ---- load_shadows.cc
  void make_shadows();
  void run_shadows();
  bool set_up_shadows();
  void on_shadow(LoadClient& client, std::string_view topic, std::string_view document);

  // ---- generator.cc: turns, packets, publishing
  // Takes turns until `done()`, or until something failed, or until `progress` has stayed the same
  // for `stall`; true if it is done.
  template <class Done>
  bool run_until(const char* doing, const std::uint64_t& progress, Duration stall, Done done);
  void run_for(const char* doing, const std::uint64_t& progress, Duration time);
  void tell(const char* doing, std::uint64_t done);
  void turn();
  void open(LoadClient& client);
  void on_event(LoadClient& client, std::uint32_t events);
  void on_readable(LoadClient& client);
  void on_ready(LoadClient& client);
  void on_frame(LoadClient& client, const Frame& frame);
  void on_publish(LoadClient& client, const Frame& frame);
  void on_stamp(LoadClient& client, const Stamp& stamp);
  void acknowledged(LoadClient& publisher, const Frame& frame);
  void close(LoadClient& client);
  void check(const Result<void>& result) {
    if (!result && !failure_) failure_ = result.error();
  }

  void credit(LoadClient& publisher);
  [[nodiscard]] std::uint64_t allowed(const LoadClient& publisher) const;
  void pump(LoadClient& publisher);
  Duration pace();

  const MonotonicClock& clock_;
  const std::function<void(const LoadProgress&)>& progress_;
  LoadReport report_;
  std::optional<Error> failure_;
  Target target_;
  int epoll_ = -1;
  std::deque<LoadClient> clients_;  // the subscribers, then the publishers
  std::vector<LoadClient*> publishers_, to_pump_, pumping_;
  std::vector<LoadClient*> again_;    // connects: those that are to connect again
  std::vector<Gap> gaps_;             // mesh: those of which not all is known
  std::size_t gaps_max_ = 1'000'000;  // more are looked at before the end
  std::uint64_t reach_ = 1;           // subscribers that each message reaches
  std::uint64_t planned_ = 0;  // messages; with a time limit they are counted when it is over
  std::size_t opened_ = 0, open_limit_ = 0, handshaking_ = 0;
  std::uint64_t ready_ = 0, left_ = 0, acknowledged_ = 0, paced_ = 0;
  bool publishing_ = false, reconnecting_ = false;
  // A clock is read once in a few turns only: here that costs as much as sending a message.
  Instant now_{}, began_{}, progressed_{}, told_{};
  CpuTime broker_began_, own_began_;
  std::uint64_t turns_ = 0, told_done_ = 0;
  const std::unique_ptr<std::uint8_t[]> input_ = std::make_unique<std::uint8_t[]>(input_bytes);
  const std::unique_ptr<std::uint8_t[]> wire_ = std::make_unique<std::uint8_t[]>(wire_bytes);
  mqtt::Incoming incoming_;
};

template <class Done>
bool Generator::run_until(const char* doing, const std::uint64_t& progress, Duration limit,
                          Done done) {
  std::uint64_t seen = progress;
  now_ = progressed_ = clock_.now();
  while (!failure_ && !done()) {
    turn();
    if (progress != seen) {
      seen = progress;
      progressed_ = now_;
    }
    if (now_ - progressed_ > limit) return false;
    if (now_ - told_ >= tell_every) tell(doing, progress);
  }
  return !failure_;
}

}  // namespace gnomon::cli
