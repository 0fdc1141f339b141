// gnomon sub
#include <csignal>
#include <cstdio>
#include <iostream>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vector>

#include "cli/client_run.h"
#include "cli/commands.h"

namespace gnomon::cli {

namespace {

struct Wanted {
  std::vector<std::string> filters;
  std::uint8_t qos = 0;
  std::uint64_t count = 0;    // 0: no end
  std::uint64_t seconds = 0;  // 0: no end
  bool topics = false;        // print them too
  bool no_local = false;
};

class Subscriber final : public ClientRun, private runtime::Timer {
 public:
  Subscriber(const ClientArguments& arguments, Wanted wanted)
      : ClientRun("gnomon sub", arguments), wanted_(std::move(wanted)) {}
  // From the main thread, at a signal.
  void stop() {
    loop().post([this] { finish(exit_done); });
  }

 private:
  void on_connected(const mqtt::Connack&) override {
    mqtt::Subscribe subscribe;
    for (const std::string& filter : wanted_.filters) {
      subscribe.entries.push_back(
          {.filter = filter, .qos = wanted_.qos, .no_local = wanted_.no_local});
    }
    client().subscribe(subscribe);
    if (wanted_.seconds > 0) {
      loop().timers().arm(*this, loop().now() + std::chrono::seconds(wanted_.seconds));
    }
  }
  void on_subscribed(const mqtt::SubscribeAck& ack) override {
    for (std::size_t i = 0; i < ack.reasons.size() && i < wanted_.filters.size(); ++i) {
      if (ack.reasons[i] < mqtt::Reason::unspecified_error) continue;
      return fail("the broker refused " + wanted_.filters[i] + ": " +
                  std::string(mqtt::describe(ack.reasons[i])));
    }
  }
  void on_message(const mqtt::Publish& publish) override {
    if (ending()) return;
    const std::string_view payload = as_text(publish.payload);
    if (wanted_.topics) std::cout << publish.topic << ' ';
    if (!(std::cout << payload << std::endl)) return fail("standard output cannot be written");
    if (++seen_ == wanted_.count) finish(exit_done);
  }
  void on_timer() override {
    if (wanted_.count == 0) return finish(exit_done);
    fail("only " + std::to_string(seen_) + " of " + std::to_string(wanted_.count) +
         " messages came in time");
  }

  Wanted wanted_;
  std::uint64_t seen_ = 0;
};

// Becomes readable when the process is told to stop.
int stop_signal_fd() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

}  // namespace

int subscribe(Words words) {
  ClientArguments given;
  Wanted wanted;
  Arguments arguments(
      "gnomon sub -t FILTER [options]",
      "Prints the messages of topics, a line each, until it is stopped.",
      {"gnomon sub -t 'lamp/+/state' -v", "gnomon sub -V 5 -t lamp/1/# -q 1 -C 10"});
  arguments.group("Messages");
  arguments.options("-t,--topic", "FILTER", "A topic filter; may be given several times",
                    [&](const std::string& text) {
                      wanted.filters.push_back(text);
                      return std::string();
                    });
  arguments.number("-q,--qos", "0|1|2", "Highest QoS (default 0)", wanted.qos, 0, 2);
  arguments.number("-C,--count", "N", "End after so many messages", wanted.count, 1,
                   1'000'000'000'000);
  arguments.number("-W,--timeout", "SECONDS", "End after so long; with -C that is a failure",
                   wanted.seconds, 1, 1'000'000'000);
  arguments.flag("-v,--verbose", wanted.topics, "Print the topic in front of each message");
  arguments.flag("--no-local", wanted.no_local, "Not what this client publishes itself (MQTT 5)");
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  if (wanted.filters.empty()) return arguments.misuse("which topics? (-t)");
  if (const std::string wrong = given.contradiction(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  if (wanted.no_local && given.version != mqtt::Version::v5) {
    return arguments.misuse("--no-local needs MQTT 5 (-V 5)");
  }
  const int signals = stop_signal_fd();
  Subscriber subscriber(given, wanted);
  const int code = subscriber.run(signals, [&subscriber] {
    subscriber.stop();
    return false;
  });
  ::close(signals);
  return code;
}

}  // namespace gnomon::cli
