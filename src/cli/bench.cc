// gnomon bench: load on any broker, and the bare forwarder to hold it against.
#include <cstdio>
#include <iostream>
#include <map>
#include <unistd.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/floor.h"
#include "cli/load.h"
#include "cli/report.h"
#include "runtime/network.h"
#include "topic/measure.h"

namespace gnomon::cli {

namespace {

int fail(const std::string& command, const Error& error) {
  std::cerr << command << ": " << error.message << '\n';
  return exit_failed;
}

std::string read_address(const std::string& text, runtime::Address& address) {
  auto parsed = runtime::parse_address(text);
  if (parsed) parsed = runtime::resolve(*parsed);
  if (!parsed) return parsed.error().message;
  address = *parsed;
  return "";
}

// ---- load

struct Given {
  LoadOptions load;
  std::uint64_t pairs = 0, seconds = 3, messages = 0, rate = 20'000, idle_seconds = 5;
  bool json = false, progress = false;
};

void declare(Arguments& arguments, const std::string& shape, Given& given) {
  LoadOptions& load = given.load;
  arguments.option("-b,--broker", "HOST:PORT", "The broker (default 127.0.0.1:1883)",
                   [&load](const std::string& text) { return read_address(text, load.broker); });
  arguments.number("--pid", "PID", "The broker's process: tells its CPU and memory", load.pid, 1,
                   4'194'304);
  arguments.option("-V,--version", "311|5", "MQTT version (default 311)",
                   [&load](const std::string& text) {
                     if (text != "311" && text != "5") return std::string("must be 311 or 5");
                     load.version = text == "5" ? mqtt::Version::v5 : mqtt::Version::v311;
                     return std::string();
                   });
  arguments.flag("--json", given.json, "One line of JSON instead of a table");
  arguments.flag("--progress", given.progress, "A live progress line, also if not on a terminal");
  if (shape == "connections") {
    arguments.number("-n,--connections", "N", "How many (default 10000)", load.subscribers, 1,
                     1'000'000);
    arguments.number("--idle", "SECONDS", "How long idle CPU is measured (default 5)",
                     given.idle_seconds, 1, 3600);
    return;
  }
  if (shape == "pairs" || shape == "latency") {
    arguments.number("--pairs", "N", "Publishers, each with its subscriber (default 100)",
                     given.pairs, 1, 100'000);
  } else {
    arguments.number("--publishers", "N", "Publishers", load.publishers, 1, 100'000);
    arguments.number("--subscribers", "N", "Subscribers", load.subscribers, 1, 100'000);
  }
  arguments.number("-q,--qos", "0|1", "QoS (default 0)", load.qos, 0, 1);
  arguments.number("-s,--size", "BYTES", "Payload (default 100)", load.payload_bytes, 16,
                   1'000'000);
  arguments.number("--seconds", "N", "How long to publish (default 3)", given.seconds, 1, 86'400);
  if (shape == "latency") {
    arguments.number("--rate", "N", "Messages a second in all (default 20000)", given.rate, 1,
                     10'000'000);
    return;
  }
  arguments.number("--messages", "N", "How many to publish in all, instead of --seconds",
                   given.messages, 1, 1'000'000'000'000);
  arguments.number("--window", "N", "Undelivered messages per publisher (default 64)", load.window,
                   1, 1'000'000);
  arguments.number("--inflight", "N", "QoS 1: unacknowledged per publisher (default 64)",
                   load.inflight, 1, 65'535);
  arguments.flag("--persistent", load.persistent, "Subscribers have sessions that outlive them");
}

int run_shape(const std::string& shape, Words words) {
  const std::map<std::string, std::string> purposes{
      {"pairs", "Publisher i to subscriber i, each on a topic of its own."},
      {"fanin", "Many publishers on topics of their own to one wildcard subscription."},
      {"fanout", "One topic to many subscribers."},
      {"latency", "Publishes by the clock and measures how long messages take."},
      {"connections", "Idle connections, each with a subscription: CPU and memory of each."}};
  Given given;
  LoadOptions& load = given.load;
  if (shape == "fanin") load.publishers = 500, load.subscribers = 1, load.shape = Shape::fanin;
  if (shape == "fanout") load.publishers = 1, load.subscribers = 500, load.shape = Shape::fanout;
  if (shape == "connections") load.subscribers = 10'000, load.shape = Shape::connections;
  Arguments arguments(
      "gnomon bench " + shape + " [options]",
      purposes.at(shape) + " Closed loop: what a broker does not drop arrives, and is counted.",
      {"gnomon bench " + shape + " --broker 127.0.0.1:1883 --pid $(pidof gnomon)"});
  declare(arguments, shape, given);
  if (const auto code = arguments.read(words)) return *code;
  if (given.pairs > 0) load.publishers = load.subscribers = static_cast<std::uint32_t>(given.pairs);
  if (shape == "latency") load.rate = given.rate;
  if (given.messages > 0) load.messages = given.messages;
  load.publish_for = std::chrono::seconds(given.seconds);
  load.idle_for = std::chrono::seconds(given.idle_seconds);

  raise_descriptor_limit();
  ProgressLine line(given.progress || isatty(STDERR_FILENO) != 0);
  const SystemMonotonicClock clock;
  const auto report =
      run_load(load, clock, [&line](const LoadProgress& progress) { line.show(progress); });
  line.clear();
  if (!report) return fail("gnomon bench " + shape, report.error());
  std::cout << (given.json ? as_json(shape, *report) : as_table(shape, *report)) << std::flush;
  return load.shape == Shape::connections || report->complete() ? exit_done : exit_failed;
}

// ---- the floor, and the index

int run_floor_command(Words words) {
  runtime::Address address{"127.0.0.1", 0};
  FloorMode mode = FloorMode::gather;
  Arguments arguments(
      "gnomon bench floor [options]",
      "A bare forwarder: no sessions, no checks, one filter a connection. The lower "
      "bound that a broker's CPU is held against. Runs until it is stopped.",
      {"gnomon bench floor --listen 127.0.0.1:1899 --mode direct"});
  arguments.option("--listen", "HOST:PORT", "Where; loopback only (default a free port)",
                   [&](const std::string& text) { return read_address(text, address); });
  arguments.option("--mode", "gather|direct",
                   "Write once a turn (default), or at once after each read",
                   [&](const std::string& text) {
                     if (text != "gather" && text != "direct")
                       return std::string("must be gather or direct");
                     mode = text == "direct" ? FloorMode::direct : FloorMode::gather;
                     return std::string();
                   });
  if (const auto code = arguments.read(words)) return *code;
  raise_descriptor_limit();
  const auto ended = run_floor(address, mode, [](const runtime::Address& bound) {
    std::cout << "{\"event\":\"ready\",\"mqtt\":\"" << to_string(bound) << "\",\"pid\":" << getpid()
              << "}\n"
              << std::flush;
  });
  return fail("gnomon bench floor", ended.error());
}

int run_index(Words words) {
  int shards = 16;
  std::uint64_t filters = 1'000'000;
  bool json = false;
  Arguments arguments("gnomon bench index [options]",
                      "The subscription index, in this process: what a filter costs when every "
                      "shard knows of it.",
                      {"gnomon bench index --shards 16 --filters 1000000"});
  arguments.number("--shards", "N", "Shards (default 16)", shards, 1, 64);
  arguments.number("--filters", "N", "Distinct filters (default 1000000)", filters, 1, 100'000'000);
  arguments.flag("--json", json, "One line of JSON");
  if (const auto code = arguments.read(words)) return *code;
  const auto cost = topic::measure_subscriptions(shards, filters);
  const double bytes = cost.index_bytes + cost.directory_bytes;
  std::printf(json ? "{\"shards\":%d,\"filters\":%llu,\"bytes_per_filter\":%.1f,"
                     "\"index_bytes\":%.1f,\"subscribe_ns\":%.0f,\"unsubscribe_ns\":%.0f,"
                     "\"match_ns\":%.0f}\n"
                   : "%d shards, %llu filters: %.1f bytes a filter (%.1f in the index of its "
                     "shard); CPU a SUBSCRIBE %.0f ns, an UNSUBSCRIBE %.0f ns, a match %.0f ns\n",
              shards, static_cast<unsigned long long>(filters), bytes, cost.index_bytes,
              cost.subscribe_ns, cost.unsubscribe_ns, cost.match_ns);
  return exit_done;
}

constexpr const char* help =
    "Usage: gnomon bench LOAD [options]\n\n"
    "Puts load on a broker of MQTT 3.1.1 or 5 and measures it.\n\nLoads:\n"
    "  pairs         Publisher i to subscriber i\n"
    "  fanin         500 publishers to one subscriber\n"
    "  fanout        One publisher to 500 subscribers\n"
    "  latency       By the clock: percentiles of delivery\n"
    "  connections   Idle connections: CPU and memory of each\n"
    "  floor         Not a load: a bare forwarder, the lower bound\n"
    "  index         Not a load: the subscription index, in this process\n\n"
    "Example:\n"
    "  gnomon bench pairs --broker 127.0.0.1:1883 --pid $(pidof gnomon) --qos 1\n";

}  // namespace

int bench(Words words) {
  const std::string load = words.empty() ? "" : words.front();
  if (load == "--help" || load == "-h") {
    std::cout << help;
    return exit_done;
  }
  for (const char* shape : {"pairs", "fanin", "fanout", "latency", "connections"}) {
    if (load == shape) return run_shape(load, words.subspan(1));
  }
  if (load == "floor") return run_floor_command(words.subspan(1));
  if (load == "index") return run_index(words.subspan(1));
  std::cerr << (load.empty() ? "gnomon bench: which load?"
                             : "gnomon bench: there is no load \"" + load + '"')
            << "\nTry: gnomon bench --help\n";
  return exit_misuse;
}

}  // namespace gnomon::cli
