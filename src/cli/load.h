// The load generator of `gnomon bench`: closed-loop load on any broker of MQTT 3.1.1 or 5.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/histogram.h"
#include "cli/load_link.h"
#include "cli/process.h"
#include "mqtt/types.h"
#include "runtime/loop.h"

namespace gnomon::cli {

constexpr std::uint64_t topics_max = 10'000'000;
constexpr std::size_t payload_bytes_max = 1'000'000;

// Who publishes to whom.
enum class Shape : std::uint8_t {
  pairs,        // publisher i to subscriber i, on device/i/telemetry; with more subscribers than
                // publishers, each publisher to its share of them in turn
  fanin,        // each publisher on a topic of its own, each subscriber on one wildcard for all
  fanout,       // all publishers and all subscribers on one topic
  connections,  // nobody publishes; each subscriber on a topic of its own
  connects,     // nobody publishes or subscribes: each connects, leaves, and connects again
  mesh,         // each publishes on a topic of its own, as fast as it may, and hears the others
  retained,     // each message is retained on a topic of its own; subscribers on one wildcard
  shadows,      // each updates the device shadow of a thing of its own, and is told that it is
  shadow_gets,  // each asks for it
};

// When the subscribers are there.
enum class Presence : std::uint8_t {
  there,   // all the time
  away,    // they subscribe and leave before anything is published
  back,    // as away, and they return when all is published
  behind,  // they come for the first time when all is published
};

struct LoadOptions {
  Shape shape = Shape::pairs;
  Presence presence = Presence::there;
  runtime::Address broker{"127.0.0.1", 1883};  // the host is a literal
  LoadTransport transport;
  std::string client_id = "gb";  // how client ids begin
  int pid = 0;                   // of the broker, if its CPU and memory are wanted
  mqtt::Version version = mqtt::Version::v311;
  std::uint32_t publishers = 100, subscribers = 100;
  std::uint8_t qos = 0;
  std::size_t payload_bytes = 100;  // at least 16
  // Closed loop: a publisher has at most `window` messages out that have not reached all of their
  // subscribers, so a broker that drops nothing within its own limits delivers them all; with QoS 1
  // or 2 at most `inflight` without a PUBACK or PUBCOMP. Who is not there has no window.
  std::uint64_t window = 64, inflight = 64;
  // Sessions that outlive the connection (3.1.1: not clean): of the subscribers, and of the
  // publishers too.
  bool persistent = false, persistent_publishers = false;
  // How much: so many messages, all publishers together, or else publish for so long.
  std::optional<std::uint64_t> messages;
  std::chrono::milliseconds publish_for{3000};
  // If set: an open loop that publishes so many messages a second by the clock and measures how
  // long they take; `window` and `messages` are not used.
  std::optional<std::uint64_t> rate;
  std::uint32_t burst = 256;                 // handshakes at once
  std::chrono::milliseconds idle_for{5000};  // connections: how long idle CPU is measured
  bool resume = false;                       // connects: TLS sessions
  std::uint32_t hears = 0;                   // mesh: so many others each; 0: all, and itself
  std::uint64_t bystander_rate = 100;        // mesh: messages a second of a pair that is not in it
  std::function<void()> connected;           // called when all are there, before they publish
};

// What a part of a load took.
struct Spent {
  Duration took{};
  CpuTime broker, generator;
};

// What happened. Sums are over the measured time only; handshakes are before it.
struct LoadReport {
  LoadOptions options;
  std::uint64_t published = 0, expected = 0, delivered = 0;
  std::uint64_t out_of_order = 0;    // not the publisher's next: lost, repeated or overtaken
  std::uint64_t unacknowledged = 0;  // publishes without a PUBACK or PUBCOMP
  std::uint64_t refused = 0;         // of the acknowledged ones: with a reason that says no
  std::uint64_t wrong_acks = 0;      // PUBACKs, PUBRECs not in the order of the PUBLISHes
  std::uint32_t closed = 0;          // connections that the broker closed
  Spent delivery;  // from the first publish, or from the return of who was not there, to the last
                   // delivery
  std::uint64_t stored = 0;  // for who is not there: copies, and what that took
  Spent storing;
  std::uint64_t resident_peak = 0;  // of the broker, bytes
  Histogram latency;                // with a rate
  // connections
  Duration connecting{};
  CpuTime connect_cpu, idle_cpu;
  std::uint64_t resident_before = 0, resident_after = 0;
  // connects: done in the time of `delivery`; `latency` is that of one, from TCP's SYN to CONNACK
  std::uint64_t connects = 0, resumed = 0;
  // mesh: `delivered` is within the time of `delivery`. Lost is what was acknowledged with success
  // and did not reach a subscriber that stayed.
  std::uint64_t acknowledged = 0, lost = 0, delivered_after = 0;
  std::uint64_t resident_quarter = 0, resident_end = 0;  // after a quarter of the time, at its end
  std::uint64_t bystander_sent = 0, bystander_lost = 0;  // `latency` is theirs

  // shadows: `delivered` is what was accepted, `latency` the time to the answer
  std::uint64_t rejected = 0;
  std::string rejection;  // the first

  // In a mesh, refusing is what a broker should do. Shadows that nobody answers for show nothing.
  [[nodiscard]] bool complete() const {
    if (options.shape == Shape::mesh)
      return lost == 0 && out_of_order == 0 && wrong_acks == 0 && closed == 0 &&
             bystander_lost == 0;
    const bool shadows = options.shape == Shape::shadows || options.shape == Shape::shadow_gets;
    if (shadows && delivered == 0) return false;
    return delivered == expected && rejected == 0 && out_of_order == 0 && unacknowledged == 0 &&
           refused == 0 && wrong_acks == 0 && closed == 0;
  }
};

// What the progress line tells, a few times a second.
struct LoadProgress {
  const char* doing = "";  // "connecting", "publishing", "storing", "receiving", "idle"
  Duration elapsed{};      // since this began
  std::uint64_t done = 0;  // connections, or messages delivered
  std::uint64_t per_second = 0;
};

// Runs the load from start to end in this thread.
// Errors: unavailable (the broker cannot be reached or refuses; no descriptors), not_found (no such
// process), invalid.
Result<LoadReport> run_load(const LoadOptions& options, const MonotonicClock& clock,
                            const std::function<void(const LoadProgress&)>& progress);

}  // namespace gnomon::cli
