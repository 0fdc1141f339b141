// gnomon pub
#include <condition_variable>
#include <cstdio>
#include <deque>
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
};

// Publisher: publishes the payloads that are handed to it, as fast as the broker allows.
class Publisher final : public ClientRun {
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

 private:
  static constexpr std::size_t queued_max = 1024;

  void on_connected(const mqtt::Connack&) override { pump(); }
  void on_message(const mqtt::Publish&) override {}
  void on_room() override { pump(); }
  void on_published(std::uint16_t, mqtt::Reason reason) override {
    --open_;
    if (reason >= mqtt::Reason::unspecified_error) {
      return fail("the broker refused the message: " + std::string(mqtt::describe(reason)));
    }
    pump();
  }

  void pump() {
    if (ending() || !client().connected()) return;
    std::unique_lock lock(mutex_);
    while (!queue_.empty() && client().can_publish(publication_.qos)) {
      mqtt::Publish publish;
      publish.topic = publication_.topic;
      publish.payload = as_bytes(queue_.front());
      publish.qos = publication_.qos;
      publish.retain = publication_.retain;
      if (auto published = client().publish(publish); !published) {
        lock.unlock();
        return fail(published.error().message);
      }
      if (publication_.qos > 0) ++open_;
      queue_.pop_front();
    }
    const bool done = complete_ && queue_.empty() && open_ == 0;
    lock.unlock();
    room_.notify_one();
    if (done) finish(exit_done);
  }

  Publication publication_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::string> queue_;
  bool complete_ = false;
  int open_ = 0;
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

}  // namespace

int publish(Words words) {
  ClientArguments given;
  Publication publication;
  std::optional<std::string> topic, message, file;
  bool lines = false, whole = false, empty = false;
  Arguments arguments(
      "gnomon pub -t TOPIC -m MESSAGE [options]",
      "Publishes a message, or one for each line of standard input.",
      {"gnomon pub -t lamp/1/state -m on -q 1", "seq 3 | gnomon pub -V 5 -t numbers -l"});
  arguments.group("Message");
  arguments.text("-t,--topic", "TOPIC", "The topic", topic);
  arguments.text("-m,--message", "TEXT", "The payload", message);
  arguments.text("-f,--file", "FILE", "The payload is what this file holds", file);
  arguments.flag("-s,--stdin-file", whole, "The payload is all of standard input");
  arguments.flag("-l,--stdin-line", lines, "A message for each line of standard input");
  arguments.flag("-n,--null-message", empty, "An empty payload");
  arguments.number("-q,--qos", "0|1|2", "QoS (default 0)", publication.qos, 0, 2);
  arguments.flag("-r,--retain", publication.retain, "Retain the message");
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  if (!topic) return arguments.misuse("which topic? (-t)");
  if (const topic::Fault fault = topic::check_name(*topic); fault != topic::Fault::none) {
    return arguments.misuse(std::string(topic::describe(fault)));
  }
  const int sources = message.has_value() + file.has_value() + whole + lines + empty;
  if (sources != 1) return arguments.misuse("one of -m, -f, -s, -l, -n says what to publish");
  if (const std::string wrong = given.contradiction(); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  publication.topic = *topic;
  std::string payload = message.value_or("");
  if (file) {
    std::ifstream in(*file, std::ios::binary);
    payload.assign(std::istreambuf_iterator<char>(in), {});
    if (!in.is_open() || in.bad()) {
      std::cerr << "gnomon pub: " << *file << " cannot be read\n";
      return exit_failed;
    }
  }
  if (whole) payload.assign(std::istreambuf_iterator<char>(std::cin), {});

  Publisher publisher(given, publication);
  if (!lines) {
    publisher.add(std::move(payload));
    publisher.end_of_input();
    return publisher.run(-1, {});
  }
  Lines input(publisher);
  return publisher.run(STDIN_FILENO, [&input] { return input.read(); });
}

}  // namespace gnomon::cli
