#include "cli/visit.h"

#include <memory>
#include <optional>
#include <semaphore>
#include <utility>

#include "base/bytes.h"
#include "base/random.h"
#include "client/client.h"
#include "runtime/network.h"

namespace gnomon::cli {

namespace {

constexpr std::chrono::milliseconds pause{100};  // between two attempts
constexpr std::chrono::seconds answer_max{10};
constexpr std::uint16_t keep_alive_seconds = 60;

// Owner:   visit(), on a thread that only waits.
// Threads: the loop's, all but come() and the constructor.
class Visitor final : public client::Handler, private runtime::Timer {
 public:
  struct Question {
    std::string topic, payload;
  };
  Visitor(const Visit& visit, std::chrono::seconds patience, std::optional<Question> question = {})
      : visit_(visit),
        patience_(patience),
        question_(std::move(question)),
        network_(runtime::make_epoll_network(monotonic_, wall_)),
        loop_(network_->make_loop()),
        transport_(*loop_, random_, visit.endpoint),
        client_(*loop_, *this, settings_) {}
  ~Visitor() { loop_->stop(); }

  // The answer to its question; "" without one.
  Result<std::string> come() {
    loop_->post([this] {
      until_ = loop_->now() + patience_;
      on_timer();
    });
    loop_->start("visit");
    if (question_ && !over_.try_acquire_for(answer_max)) {
      loop_->post([this] {
        end(Error{Code::unavailable, "no answer came on " + question_->topic + "/accepted"});
      });
      over_.acquire();
    } else if (!question_) {
      over_.acquire();
    }
    return *outcome_;
  }

 private:
  void on_timer() override {
    mqtt::Connect connect;
    connect.client_id = visit_.client_id;
    connect.keep_alive_seconds = keep_alive_seconds;
    client_.connect(transport_, connect);
  }
  void on_connected(const mqtt::Connack&) override {
    if (!question_) return publish(visit_.topic, "rehearsal");
    const std::string accepted = question_->topic + "/accepted",
                      rejected = question_->topic + "/rejected";
    mqtt::Subscribe subscribe;
    for (const std::string* filter : {&accepted, &rejected}) {
      mqtt::SubscribeEntry& entry = subscribe.entries.emplace_back();
      entry.filter = *filter;
      entry.qos = 1;
    }
    client_.subscribe(std::move(subscribe));
  }
  void on_subscribed(const mqtt::SubscribeAck& ack) override {
    for (const mqtt::Reason reason : ack.reasons) {
      if (reason < mqtt::Reason::unspecified_error) continue;
      return end(Error{Code::denied, "it may not subscribe to the answer: " +
                                         std::string(mqtt::describe(reason))});
    }
    publish(question_->topic, question_->payload);
  }
  void publish(const std::string& topic, std::string_view payload) {
    mqtt::Publish message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.qos = 1;
    if (const auto sent = client_.publish(message); !sent) end(sent.error());
  }
  void on_message(const mqtt::Publish& message) override {
    if (!question_) return;
    std::string text(as_text(message.payload));
    if (message.topic.ends_with("/accepted")) return end(std::move(text));
    end(Error{Code::denied, "it was rejected: " + text});
  }
  void on_published(std::uint16_t, mqtt::Reason reason) override {
    const bool taken = reason < mqtt::Reason::unspecified_error;
    if (taken && question_) return;  // the answer follows
    if (taken) return end(std::string());
    end(Error{Code::denied, "the message was refused: " + std::string(mqtt::describe(reason))});
  }
  void on_closed(const client::Closed& why) override {
    const bool refused = why.kind == client::Closed::Kind::refused;
    if (refused && loop_->now() + pause < until_) {
      loop_->timers().arm(*this, loop_->now() + pause);
    } else {
      end(Error{refused ? Code::denied : Code::unavailable, why.message});
    }
  }
  void end(Result<std::string> outcome) {
    if (outcome_) return;
    client_.disconnect();
    outcome_ = std::move(outcome);
    over_.release();
  }

  const Visit& visit_;
  const std::chrono::seconds patience_;
  const std::optional<Question> question_;
  SystemMonotonicClock monotonic_;
  SystemWallClock wall_;
  SystemRandom random_;
  std::unique_ptr<runtime::Network> network_;
  std::unique_ptr<runtime::Loop> loop_;
  mqtt::Settings settings_;
  client::Transport transport_;
  client::Client client_;
  std::optional<Result<std::string>> outcome_;  // once `over_` is released, come()'s
  std::binary_semaphore over_{0};
  Instant until_{};
};

Result<void> without_answer(const Result<std::string>& outcome) {
  if (!outcome) return outcome.error();
  return {};
}

}  // namespace

Result<void> visit(const Visit& what) { return visit_until_welcome(what, std::chrono::seconds(0)); }

Result<std::string> ask(const Visit& what, const std::string& topic, const std::string& payload) {
  return Visitor(what, std::chrono::seconds(0), Visitor::Question{topic, payload}).come();
}

Result<void> visit_until_welcome(const Visit& what, std::chrono::seconds patience) {
  return without_answer(Visitor(what, patience).come());
}

}  // namespace gnomon::cli
