// gnomon bench: load on any broker, and what to hold it against: a bare forwarder, the disk.
#include <array>
#include <cstdio>
#include <iostream>
#include <unistd.h>

#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/disk.h"
#include "cli/floor.h"
#include "cli/load.h"
#include "cli/report.h"
#include "cli/tls_arguments.h"
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

// A load: what it is called, what it is for, and what it does unless told otherwise.
struct Kind {
  const char* name;
  const char* summary;  // in the list of loads
  const char* purpose;  // in its own help
  Shape shape;
  Presence presence = Presence::there;
  std::uint32_t publishers = 100, subscribers = 100;
  std::uint64_t messages = 0;  // 0: for a time
};

constexpr auto kinds = std::to_array<Kind>({
    {"pairs", "Publisher i to subscriber i",
     "Publisher i to subscriber i, each on a topic of its own.", Shape::pairs},
    {"fanin", "500 publishers to one subscriber",
     "Many publishers on topics of their own to one wildcard subscription.", Shape::fanin,
     Presence::there, 500, 1},
    {"fanout", "One publisher to 500 subscribers", "One topic to many subscribers.", Shape::fanout,
     Presence::there, 1, 500},
    {"latency", "By the clock: percentiles of delivery",
     "Publishes by the clock and measures how long messages take.", Shape::pairs},
    {"connections", "Idle connections: CPU and memory of each",
     "Idle connections, each with a subscription: CPU and memory of each.", Shape::connections,
     Presence::there, 0, 10'000},
    {"connects", "Connects a second: CPU of each",
     "Clients connect, leave and connect again: how fast, and what each costs.", Shape::connects,
     Presence::there, 0, 32},
    {"mesh", "500 clients that all publish to all, and bystanders",
     "Each client publishes as fast as it may, and subscribes to what the others publish. Two "
     "bystanders measure by the clock how long their messages take meanwhile. Lost is what was "
     "acknowledged and did not arrive; a broker may refuse instead.",
     Shape::mesh, Presence::there, 500, 500},
    {"shadows", "Device shadows are updated",
     "Each client updates the device shadow of a thing of its own, bench-I, whose desired state "
     "differs from what it reports, and waits for the answers. Latency is the time to "
     "…/update/accepted; a rejection is a failure. The shadows stay on the broker. One shadow "
     "alone: --clients 1 --window 1.",
     Shape::shadows, Presence::there, 1000, 1000},
    {"shadow-gets", "Device shadows are read",
     "Each client asks for the device shadow of a thing of its own, bench-I, and waits for the "
     "answers. Latency is the time to …/get/accepted; a rejection is a failure. The shadows stay "
     "on the broker.",
     Shape::shadow_gets, Presence::there, 1000, 1000},
    {"fill", "Queues of sessions that are away",
     "Makes sessions, each with a subscription, leaves, and publishes to them in turn. Sessions "
     "and queues stay on the broker.",
     Shape::pairs, Presence::away, 16, 1000, 1'000'000},
    {"drain", "Sessions return and take their queues",
     "Fills the queues of sessions that are away, then returns: how fast they are emptied.",
     Shape::pairs, Presence::back, 16, 1, 1'000'000},
    {"offline", "One publisher to 1,000 sessions that are away",
     "One topic to many sessions that are away. Sessions and queues stay on the broker.",
     Shape::fanout, Presence::away, 1, 1000, 1000},
    {"retained", "A wildcard over 1,000,000 retained topics",
     "Retains a message on each of many topics, then subscribes to all with one wildcard. What is "
     "retained stays on the broker.",
     Shape::retained, Presence::behind, 16, 1, 1'000'000},
});

struct Given {
  LoadOptions load;
  std::string broker;
  TlsArguments tls_files;
  bool tls = false, websocket = false;
  std::string path = "/mqtt";
  std::uint64_t pairs = 0, seconds = 3, messages = 0, rate = 20'000, idle_seconds = 5;
  bool json = false, progress = false;
};

void declare_common(Arguments& arguments, Given& given) {
  LoadOptions& load = given.load;
  arguments.text("-b,--broker", "HOST:PORT",
                 "The broker (default 127.0.0.1 and Gnomon's port: 1883, with TLS 8883, over "
                 "WebSocket 4566 and 8443)",
                 given.broker);
  arguments.flag("--tls", given.tls, "Over TLS, as any option of TLS says, too");
  arguments.flag("--websocket", given.websocket, "Over WebSocket");
  arguments.text("--path", "PATH", "Over WebSocket: where (default /mqtt)", given.path);
  arguments.number("--pid", "PID", "The broker's process: tells its CPU and memory", load.pid, 1,
                   4'194'304);
  const bool v5 = load.version == mqtt::Version::v5;
  arguments.option("-V,--version", "311|5",
                   v5 ? "MQTT version (default 5)" : "MQTT version (default 311)",
                   [&load](const std::string& text) {
                     if (text != "311" && text != "5") return std::string("must be 311 or 5");
                     load.version = text == "5" ? mqtt::Version::v5 : mqtt::Version::v311;
                     return std::string();
                   });
  arguments.flag("--json", given.json, "One line of JSON instead of a table");
  arguments.flag("--progress", given.progress, "A live progress line, also if not on a terminal");
}

std::string with_default(const std::string& help, std::uint64_t value) {
  return help + " (default " + std::to_string(value) + ")";
}

// Loads whose subscribers are there while it is published.
void declare_live(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  const bool latency = std::string_view(kind.name) == "latency";
  if (kind.shape == Shape::pairs) {
    arguments.number("--pairs", "N", "Publishers, each with its subscriber (default 100)",
                     given.pairs, 1, 100'000);
  } else {
    arguments.number("--publishers", "N", with_default("Publishers", kind.publishers),
                     load.publishers, 1, 100'000);
    arguments.number("--subscribers", "N", with_default("Subscribers", kind.subscribers),
                     load.subscribers, 1, 100'000);
  }
  arguments.number("-q,--qos", "0|1|2", "QoS (default 0)", load.qos, 0, 2);
  arguments.number("--seconds", "N", "How long to publish (default 3)", given.seconds, 1, 86'400);
  if (latency) {
    arguments.number("--rate", "N", "Messages a second in all (default 20000)", given.rate, 1,
                     10'000'000);
    return;
  }
  arguments.number("--messages", "N", "How many to publish in all, instead of --seconds",
                   given.messages, 1, 1'000'000'000'000);
  arguments.number("--window", "N", "Undelivered messages per publisher (default 64)", load.window,
                   1, 1'000'000);
  arguments.flag("--persistent", load.persistent, "Subscribers have sessions that outlive them");
  arguments.flag("--persistent-publishers", load.persistent_publishers, "Publishers too");
}

// Loads that store for those who are not there.
void declare_stored(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  load.persistent = kind.presence != Presence::behind;
  load.qos = 1;
  if (kind.shape == Shape::retained) {
    arguments.number("--topics", "N", with_default("Retained messages", kind.messages),
                     given.messages, 1, topics_max);
    arguments.number("--subscribers", "N", with_default("Who subscribe", kind.subscribers),
                     load.subscribers, 1, 1000);
    arguments.number("-q,--qos", "0|1|2", "To subscribe with (default 1)", load.qos, 0, 2);
  } else {
    arguments.number("--sessions", "N", with_default("Sessions", kind.subscribers),
                     load.subscribers, 1, 1'000'000);
    arguments.number("--messages", "N", with_default("How many to publish in all", kind.messages),
                     given.messages, 1, 1'000'000'000);
    arguments.number("-q,--qos", "1|2", "QoS (default 1)", load.qos, 1, 2);
  }
  arguments.number("--publishers", "N",
                   with_default("Publishers, no more than topics", kind.publishers),
                   load.publishers, 1, 10'000);
}

void declare_connects(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  arguments.number("--clients", "N", with_default("How many at once", kind.subscribers),
                   load.subscribers, 1, 10'000);
  arguments.number("--seconds", "N", "For how long (default 3)", given.seconds, 1, 86'400);
  arguments.number("--connects", "N", "How many in all, instead of --seconds", given.messages, 1,
                   1'000'000'000);
  arguments.flag("--resume", load.resume,
                 "TLS: resume sessions (one of each client is made first)");
}

void declare_mesh(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  load.qos = 1;
  arguments.number("--clients", "N", with_default("Clients", kind.subscribers), load.subscribers, 2,
                   10'000);
  arguments.number("--hears", "N", "Each subscribes to so many others (default all, by a wildcard)",
                   load.hears, 1, 1000);
  arguments.number("-q,--qos", "0|1", "QoS (default 1)", load.qos, 0, 1);
  arguments.number("--seconds", "N", "How long to publish (default 3)", given.seconds, 1, 86'400);
  arguments.number("--bystander-rate", "N", "Messages a second of the bystanders (default 100)",
                   load.bystander_rate, 1, 100'000);
}

void declare_shadows(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  load.qos = 1;
  load.window = 4;
  load.payload_bytes = 200;
  arguments.number("--clients", "N", with_default("Clients, each with its thing", kind.subscribers),
                   load.subscribers, 1, 100'000);
  arguments.number("--window", "N",
                   with_default("Requests of a client without an answer", load.window), load.window,
                   1, 10'000);
  arguments.number("-q,--qos", "0|1", "QoS (default 1)", load.qos, 0, 1);
  arguments.number("--seconds", "N", "For how long (default 3)", given.seconds, 1, 86'400);
  arguments.number("--messages", "N", "How many requests in all, instead of --seconds",
                   given.messages, 1, 1'000'000'000);
  if (kind.shape == Shape::shadow_gets) return;
  arguments.number("-s,--size", "BYTES", with_default("Of an update", load.payload_bytes),
                   load.payload_bytes, 16, 8000);
}

// Where to, and over what. Returns the exit code if that cannot be.
std::optional<int> settle_transport(const Arguments& arguments, const std::string& command,
                                    Given& given) {
  LoadOptions& load = given.load;
  if (const std::string wrong = given.tls_files.wrong(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  const bool tls = given.tls || given.tls_files.given();
  if (load.resume && !tls) return arguments.misuse("--resume is for TLS (--tls)");
  if (!given.path.starts_with('/')) {
    return arguments.misuse("--path \"" + given.path + "\": must begin with /");
  }
  if (given.broker.empty()) {
    const char* port = given.websocket ? (tls ? "8443" : "4566") : (tls ? "8883" : "1883");
    given.broker = std::string("127.0.0.1:") + port;
  }
  if (const std::string wrong = read_address(given.broker, load.broker); !wrong.empty()) {
    return arguments.misuse("--broker \"" + given.broker + "\": " + wrong);
  }
  load.transport.name = runtime::parse_address(given.broker)->host;
  load.transport.host = given.broker;
  if (given.websocket) load.transport.websocket = given.path;
  if (!tls) return std::nullopt;
  auto config = given.tls_files.config();
  if (!config) return fail(command, config.error());
  load.transport.tls = std::move(*config);
  return std::nullopt;
}

void declare_kind(Arguments& arguments, const Kind& kind, Given& given) {
  LoadOptions& load = given.load;
  if (kind.shape == Shape::connects) return declare_connects(arguments, kind, given);
  if (kind.shape == Shape::shadows || kind.shape == Shape::shadow_gets)
    return declare_shadows(arguments, kind, given);
  if (kind.shape == Shape::connections) {
    arguments.number("-n,--connections", "N", "How many (default 10000)", load.subscribers, 1,
                     1'000'000);
    arguments.number("--idle", "SECONDS", "How long idle CPU is measured (default 5)",
                     given.idle_seconds, 1, 3600);
    return;
  }
  if (kind.shape == Shape::mesh) {
    declare_mesh(arguments, kind, given);
  } else if (kind.presence == Presence::there) {
    declare_live(arguments, kind, given);
  } else {
    declare_stored(arguments, kind, given);
  }
  arguments.number("-s,--size", "BYTES", "Payload (default 100)", load.payload_bytes, 16,
                   payload_bytes_max);
  arguments.number("--inflight", "N", "QoS 1 and 2: unacknowledged per publisher (default 64)",
                   load.inflight, 1, 65'535);
}

int run_kind(const Kind& kind, Words words) {
  const std::string name = kind.name;
  Given given;
  LoadOptions& load = given.load;
  load.shape = kind.shape;
  load.presence = kind.presence;
  load.publishers = kind.publishers;
  load.subscribers = kind.subscribers;
  given.messages = kind.messages;
  if (kind.shape == Shape::mesh) load.version = mqtt::Version::v5;
  Arguments arguments("gnomon bench " + name + " [options]",
                      std::string(kind.purpose) +
                          (kind.shape == Shape::connects || kind.shape == Shape::mesh
                               ? ""
                               : " Closed loop: what a broker does not drop arrives, and is "
                                 "counted."),
                      {"gnomon bench " + name + " --broker 127.0.0.1:1883 --pid $(pidof gnomon)"});
  declare_common(arguments, given);
  declare_kind(arguments, kind, given);
  given.tls_files.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  if (const auto code = settle_transport(arguments, "gnomon bench " + name, given)) return *code;
  if (given.pairs > 0) load.publishers = load.subscribers = static_cast<std::uint32_t>(given.pairs);
  if (name == "latency") load.rate = given.rate;
  if (given.messages > 0) load.messages = given.messages;
  load.publish_for = std::chrono::seconds(given.seconds);
  load.idle_for = std::chrono::seconds(given.idle_seconds);

  raise_descriptor_limit();
  ProgressLine line(given.progress || isatty(STDERR_FILENO) != 0);
  const SystemMonotonicClock clock;
  const auto report =
      run_load(load, clock, [&line](const LoadProgress& progress) { line.show(progress); });
  line.clear();
  if (!report) return fail("gnomon bench " + name, report.error());
  std::cout << (given.json ? as_json(name, *report) : as_table(name, *report)) << std::flush;
  if (!report->rejection.empty())
    std::cerr << "gnomon bench " << name << ": rejected, the first: " << report->rejection << '\n';
  return load.shape == Shape::connections || report->complete() ? exit_done : exit_failed;
}

// ---- the floor, the index, the disk

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

int run_sync(Words words) {
  std::string folder = ".";
  std::uint64_t bytes = 300, count = 2000;
  bool json = false;
  Arguments arguments("gnomon bench sync [options]",
                      "The disk, without a broker: appends to a file of its own in the folder and "
                      "calls fdatasync after each. No acknowledgement can be faster.",
                      {"gnomon bench sync --folder gnomon-data"});
  arguments.text("--folder", "DIR", "Where (default here); nothing is left there", folder);
  arguments.number("-s,--size", "BYTES", "Of each append (default 300)", bytes, 1, 16'777'216);
  arguments.number("--count", "N", "How many (default 2000)", count, 1, 10'000'000);
  arguments.flag("--json", json, "One line of JSON");
  if (const auto code = arguments.read(words)) return *code;
  const SystemMonotonicClock clock;
  const auto took = time_syncs(folder, bytes, count, clock);
  if (!took) return fail("gnomon bench sync", took.error());
  const auto us = [&](double fraction) {
    return std::chrono::duration<double, std::micro>(took->percentile(fraction)).count();
  };
  std::printf(json ? "{\"load\":\"sync\",\"bytes\":%llu,\"count\":%llu,\"p50_us\":%.1f,"
                     "\"p90_us\":%.1f,\"p99_us\":%.1f}\n"
                   : "%llu bytes appended and fdatasync, %llu times: p50 %.0f µs, p90 %.0f µs, "
                     "p99 %.0f µs\n",
              static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(count),
              us(0.5), us(0.9), us(0.99));
  return exit_done;
}

// What is no load.
struct Tool {
  const char* name;
  const char* summary;
  int (*run)(Words);
};
constexpr auto tools = std::to_array<Tool>({
    {"floor", "Not a load: a bare forwarder, the lower bound", run_floor_command},
    {"index", "Not a load: the subscription index, in this process", run_index},
    {"sync", "Not a load: the disk's fdatasync", run_sync},
});

void print_help() {
  const auto list = [](const auto& rows) {
    for (const auto& row : rows) std::printf("  %-13s %s\n", row.name, row.summary);
  };
  std::puts(
      "Usage: gnomon bench LOAD [options]\n\n"
      "Puts load on a broker of MQTT 3.1.1 or 5 and measures it.\n\nLoads:");
  list(kinds);
  list(tools);
  std::puts(
      "\nExample:\n"
      "  gnomon bench pairs --broker 127.0.0.1:1883 --pid $(pidof gnomon) --qos 1");
}

}  // namespace

std::vector<std::string_view> bench_loads() {
  std::vector<std::string_view> names;
  for (const Kind& kind : kinds) names.emplace_back(kind.name);
  for (const Tool& tool : tools) names.emplace_back(tool.name);
  return names;
}

int bench(Words words) {
  const std::string load = words.empty() ? "" : words.front();
  if (load == "--help" || load == "-h") {
    print_help();
    return exit_done;
  }
  for (const Kind& kind : kinds) {
    if (load == kind.name) return run_kind(kind, words.subspan(1));
  }
  for (const Tool& tool : tools) {
    if (load == tool.name) return tool.run(words.subspan(1));
  }
  std::cerr << (load.empty() ? "gnomon bench: which load?"
                             : "gnomon bench: there is no load \"" + load + '"')
            << "\nTry: gnomon bench --help\n";
  return exit_misuse;
}

}  // namespace gnomon::cli
