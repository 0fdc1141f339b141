// gnomon pub
#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <unistd.h>

#include "cli/client_run.h"
#include "cli/commands.h"
#include "topic/topic.h"

namespace gnomon::cli {

namespace {

struct Publication {
  std::string topic;
  std::uint8_t qos = 0;
  bool retain = false;
  std::optional<std::uint32_t> expiry_seconds;
  Buffer properties;
  std::uint64_t repeat = 1;  // how often add_repeated() publishes
  Duration delay{};          // in between
};

// Publisher: publishes the payloads that are handed to it, as fast as the broker allows.
class Publisher final : public ClientRun, private runtime::Timer {
 public:
  Publisher(const ClientArguments& arguments, Publication publication)
      : ClientRun("gnomon pub", arguments), publication_(std::move(publication)) {}

  // Any thread but the loop's; waits while too many are queued.
  void add(std::string payload) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return queue_.size() < queued_max || ending(); });
    queue_.push_back(std::move(payload));
    if (queue_.size() == 1) loop().post([this] { pump(); });
  }
  void end_of_input() {
    const std::lock_guard lock(mutex_);
    complete_ = true;
    loop().post([this] { pump(); });
  }
  // Before run(): one payload, as often as the publication says; and that is all.
  void add_repeated(std::string payload) {
    repeated_ = std::move(payload);
    left_ = publication_.repeat;
    complete_ = true;
  }

 private:
  static constexpr std::size_t queued_max = 1024;

  void on_connected(const mqtt::Connack& connack) override {
    connected(connack);
    on_timer();
  }
  // Time for the next repetition.
  void on_timer() override {
    due_ = publication_.delay == Duration() ? left_ : std::min<std::uint64_t>(left_, due_ + 1);
    if (left_ > due_) loop().timers().arm(*this, loop().now() + publication_.delay);
    pump();
  }
  void on_message(const mqtt::Publish&) override {}
  void on_room() override { pump(); }
  void on_published(std::uint16_t id, mqtt::Reason reason) override {
    --open_;
    debug((publication_.qos == 1 ? "PUBACK " : "PUBCOMP ") + std::to_string(id) + ' ' +
          std::string(describe(reason)));
    if (reason >= mqtt::Reason::unspecified_error) {
      return fail("the broker refused the message: " + std::string(mqtt::describe(reason)));
    }
    pump();
  }

  void pump() {
    if (ending() || !client().connected()) return;
    std::unique_lock lock(mutex_);
    while ((due_ > 0 || !queue_.empty()) && client().can_publish(publication_.qos)) {
      const bool again = due_ > 0;
      if (auto published = publish(again ? repeated_ : queue_.front()); !published) {
        lock.unlock();
        return fail(published.error().message);
      }
      if (publication_.qos > 0) ++open_;
      if (again) {
        --due_;
        --left_;
      } else {
        queue_.pop_front();
      }
    }
    const bool done = complete_ && queue_.empty() && left_ == 0 && open_ == 0;
    lock.unlock();
    room_.notify_one();
    if (done) finish(exit_done);
  }

  Result<void> publish(const std::string& payload) {
    mqtt::Publish publish;
    publish.topic = publication_.topic;
    publish.payload = as_bytes(payload);
    publish.qos = publication_.qos;
    publish.retain = publication_.retain;
    publish.expiry_seconds = publication_.expiry_seconds;
    publish.properties = publication_.properties.view();
    const auto published = client().publish(publish);
    if (!published) return published.error();
    if (debugs()) {
      debug("PUBLISH " + std::to_string(*published) + " to " + publication_.topic + ", QoS " +
            std::to_string(publish.qos) + (publish.retain ? ", retained, " : ", ") +
            std::to_string(payload.size()) + " bytes");
    }
    return {};
  }

  Publication publication_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::string> queue_;
  bool complete_ = false;
  int open_ = 0;
  std::string repeated_;
  std::uint64_t left_ = 0, due_ = 0;  // repetitions in all, and those whose time has come
};

// Lines of standard input, as they come.
class Lines {
 public:
  explicit Lines(Publisher& publisher) : publisher_(publisher) {}
  // Reads once; false at the end.
  bool read() {
    char part[4096];
    const ssize_t got = ::read(STDIN_FILENO, part, sizeof part);
    if (got <= 0) {
      if (!rest_.empty()) publisher_.add(std::exchange(rest_, {}));
      publisher_.end_of_input();
      return false;
    }
    for (const char c : std::string_view(part, static_cast<std::size_t>(got))) {
      if (c == '\n') {
        publisher_.add(std::exchange(rest_, {}));
      } else {
        rest_ += c;
      }
    }
    return true;
  }

 private:
  Publisher& publisher_;
  std::string rest_;
};

struct Given {
  std::optional<std::string> topic, message, file;
  bool lines = false, whole = false, empty = false;

  void declare(Arguments& arguments, Publication& publication) {
    arguments.group("Message");
    arguments.text("-t,--topic", "TOPIC", "The topic", topic);
    arguments.text("-m,--message", "TEXT", "The payload", message);
    arguments.text("-f,--file", "FILE", "The payload is what this file holds", file);
    arguments.flag("-s,--stdin-file", whole, "The payload is all of standard input");
    arguments.flag("-l,--stdin-line", lines, "A message for each line of standard input");
    arguments.flag("-n,--null-message", empty, "An empty payload");
    arguments.number("-q,--qos", "0|1|2", "QoS (default 0)", publication.qos, 0, 2);
    arguments.flag("-r,--retain", publication.retain, "Retain the message");
    arguments.number("--repeat", "N", "Publish it so often (not with -l)", publication.repeat, 1,
                     1'000'000'000'000);
    arguments.option(
        "--repeat-delay", "SECONDS", "Wait so long in between (0.5, for instance)",
        [&publication](const std::string& text) { return read_seconds(text, publication.delay); });
  }
  static std::string read_seconds(const std::string& text, Duration& delay) {
    double seconds = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, seconds);
    if (error != std::errc() || stopped != end || !(seconds >= 0) || seconds > 1e6) {
      return "must be a number of seconds, such as 0.5";
    }
    delay = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    return "";
  }
  // "" or what does not go together.
  [[nodiscard]] std::string wrong(const Publication& publication) const {
    if (!topic) return "which topic? (-t)";
    if (const topic::Fault fault = topic::check_name(*topic); fault != topic::Fault::none) {
      return "--topic: " + std::string(describe(fault));
    }
    const int sources = message.has_value() + file.has_value() + whole + lines + empty;
    if (sources != 1) return "one of -m, -f, -s, -l, -n says what to publish";
    if (lines && publication.repeat > 1) return "--repeat does not go with -l";
    return "";
  }
  // What is published, but for lines. Errors: unavailable.
  [[nodiscard]] Result<std::string> payload() const {
    if (whole) return std::string(std::istreambuf_iterator<char>(std::cin), {});
    if (!file) return message.value_or("");
    std::ifstream in(*file, std::ios::binary);
    std::string text;
    if (in.is_open()) text.assign(std::istreambuf_iterator<char>(in), {});
    std::error_code error;
    if (!in.is_open() || in.bad() || std::filesystem::is_directory(*file, error)) {
      return Error{Code::unavailable, *file + " cannot be read"};
    }
    return text;
  }
};

}  // namespace

int publish(Words words) {
  ClientArguments client;
  Publication publication;
  Given given;
  Arguments arguments(
      "gnomon pub -t TOPIC -m MESSAGE [options]",
      "Publishes a message, or one for each line of standard input. The options are those of "
      "mosquitto_pub.",
      {"gnomon pub -t lamp/1/state -m on -q 1", "seq 3 | gnomon pub -V 5 -t numbers -l",
       "gnomon pub -L mqtt://localhost/lamp/1/state -m on -r",
       "gnomon pub -t ping -m x --repeat 10 --repeat-delay 0.5",
       "gnomon pub -t ask -m x -D publish response-topic answers -D publish user-property k v"});
  given.declare(arguments, publication);
  client.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  constexpr std::array sent{Packet::publish};
  if (const std::string wrong = client.settle(sent); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  if (!given.topic) given.topic = client.url_topic;
  if (const std::string wrong = given.wrong(publication); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  publication.topic = *given.topic;
  publication.expiry_seconds =
      client.properties.number(Packet::publish, mqtt::PropertyId::message_expiry_interval);
  publication.properties = client.properties.raw(Packet::publish);
  auto payload = given.payload();
  if (!payload) {
    if (!client.quiet) std::cerr << "gnomon pub: " << payload.error().message << '\n';
    return exit_failed;
  }
  Publisher publisher(client, std::move(publication));
  if (!given.lines) {
    publisher.add_repeated(std::move(*payload));
    return publisher.run(-1, {});
  }
  Lines input(publisher);
  return publisher.run(STDIN_FILENO, [&input] { return input.read(); });
}

}  // namespace gnomon::cli
