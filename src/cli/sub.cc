// gnomon sub
#include <algorithm>
#include <array>
#include <csignal>
#include <deque>
#include <iostream>
#include <set>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vector>

#include "cli/client_run.h"
#include "cli/commands.h"
#include "cli/message_format.h"
#include "topic/topic.h"

namespace gnomon::cli {

namespace {

struct Wanted {
  std::vector<std::string> filters, without, unsubscribe;
  std::uint8_t qos = 0;
  std::uint64_t count = 0;    // 0: no end
  std::uint64_t seconds = 0;  // 0: no end
  std::optional<MessageFormat> format;
  bool topics = false;      // print them too
  bool same_line = false;   // no end of line behind a message
  bool exit_early = false;  // when the broker has answered
  bool no_local = false, retain_as_published = false;
  std::uint8_t retain_handling = 0;
  bool no_retained = false, retained_only = false, remove_retained = false;
  std::uint32_t identifier = 0;
  Buffer subscribe_properties, unsubscribe_properties;
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
  void on_connected(const mqtt::Connack& connack) override;
  void on_subscribed(const mqtt::SubscribeAck& ack) override;
  void on_message(const mqtt::Publish& publish) override;
  void on_timer() override;
  void on_room() override { clear_more(); }
  void on_published(std::uint16_t id, mqtt::Reason reason) override;

  [[nodiscard]] bool skips(const mqtt::Publish& publish) const;
  bool print(const mqtt::Publish& publish);
  void clear_more();
  // Ends once nothing is left to be removed.
  void finish_when_clear() {
    finishing_ = true;
    if (to_clear_.empty() && clearing_ == 0) finish(exit_done);
  }

  Wanted wanted_;
  std::uint64_t seen_ = 0;
  int unanswered_ = 0;  // SUBSCRIBE and UNSUBSCRIBE
  bool finishing_ = false;
  std::deque<std::string> to_clear_;
  std::set<std::string, std::less<>> cleared_;
  int clearing_ = 0;  // on its way
};

void Subscriber::on_connected(const mqtt::Connack& connack) {
  connected(connack);
  if (!wanted_.unsubscribe.empty()) {
    mqtt::Unsubscribe unsubscribe;
    for (const std::string& filter : wanted_.unsubscribe) {
      debug("UNSUBSCRIBE " + filter);
      unsubscribe.filters.push_back(filter);
    }
    unsubscribe.user_properties = wanted_.unsubscribe_properties.view();
    client().unsubscribe(unsubscribe);
    ++unanswered_;
  }
  if (!wanted_.filters.empty()) {
    mqtt::Subscribe subscribe;
    for (const std::string& filter : wanted_.filters) {
      debug("SUBSCRIBE " + filter + ", QoS " + std::to_string(wanted_.qos));
      subscribe.entries.push_back({.filter = filter,
                                   .qos = wanted_.qos,
                                   .no_local = wanted_.no_local,
                                   .retain_as_published = wanted_.retain_as_published,
                                   .retain_handling = wanted_.retain_handling});
    }
    subscribe.identifier = wanted_.identifier;
    subscribe.user_properties = wanted_.subscribe_properties.view();
    client().subscribe(subscribe);
    ++unanswered_;
  }
  if (wanted_.seconds > 0) {
    loop().timers().arm(*this, loop().now() + std::chrono::seconds(wanted_.seconds));
  }
}

void Subscriber::on_subscribed(const mqtt::SubscribeAck& ack) {
  const bool suback = ack.type == mqtt::PacketType::suback;
  const auto& filters = suback ? wanted_.filters : wanted_.unsubscribe;
  for (std::size_t i = 0; i < ack.reasons.size() && i < filters.size(); ++i) {
    debug((suback ? "SUBACK " : "UNSUBACK ") + filters[i] + ": " +
          std::string(describe(ack.reasons[i])));
    if (ack.reasons[i] < mqtt::Reason::unspecified_error) continue;
    return fail("the broker refused " + filters[i] + ": " +
                std::string(mqtt::describe(ack.reasons[i])));
  }
  if (--unanswered_ == 0 && wanted_.exit_early) finish(exit_done);
}

// What is neither printed nor counted.
bool Subscriber::skips(const mqtt::Publish& publish) const {
  if (wanted_.no_retained && publish.retain) return true;
  // The removal of a retained message comes back to who wanted it.
  if (!publish.retain && publish.payload.empty() && cleared_.contains(publish.topic)) return true;
  return std::ranges::any_of(wanted_.without, [&](const std::string& filter) {
    return topic::matches(filter, publish.topic);
  });
}

bool Subscriber::print(const mqtt::Publish& publish) {
  std::string text;
  if (wanted_.format) {
    wanted_.format->append(publish, {loop().wall_now(), client_id()}, text);
  } else {
    if (wanted_.topics) (text += publish.topic) += ' ';
    text += as_text(publish.payload);
  }
  if (!wanted_.same_line) text += '\n';
  return static_cast<bool>(std::cout << text << std::flush);
}

void Subscriber::on_message(const mqtt::Publish& publish) {
  if (ending() || finishing_) return;
  if (debugs()) {
    debug("PUBLISH " + std::to_string(publish.packet_id) + " from " + std::string(publish.topic) +
          ", QoS " + std::to_string(publish.qos) + (publish.retain ? ", retained, " : ", ") +
          std::to_string(publish.payload.size()) + " bytes");
  }
  if (skips(publish)) return;
  if (wanted_.retained_only && !publish.retain) return finish_when_clear();
  if (!print(publish)) return fail("standard output cannot be written");
  if (wanted_.remove_retained && publish.retain) {
    to_clear_.emplace_back(publish.topic);
    clear_more();
  }
  if (++seen_ != wanted_.count) return;
  client()
      .acknowledge();  // it was printed, and must not come again to who goes on with the session
  finish_when_clear();
}

void Subscriber::clear_more() {
  while (!ending() && !to_clear_.empty() && client().can_publish(1)) {
    mqtt::Publish empty;
    empty.topic = to_clear_.front();
    empty.qos = 1;
    empty.retain = true;
    if (auto published = client().publish(empty); !published) {
      return fail(published.error().message);
    }
    debug("PUBLISH nothing, retained, to " + to_clear_.front());
    ++clearing_;
    cleared_.insert(std::move(to_clear_.front()));
    to_clear_.pop_front();
  }
}

void Subscriber::on_published(std::uint16_t, mqtt::Reason reason) {
  --clearing_;
  if (reason >= mqtt::Reason::unspecified_error) {
    return fail("the broker refused to remove a retained message: " +
                std::string(mqtt::describe(reason)));
  }
  if (finishing_) finish_when_clear();
}

void Subscriber::on_timer() {
  if (finishing_) return;
  if (wanted_.count == 0) return finish_when_clear();
  fail("only " + std::to_string(seen_) + " of " + std::to_string(wanted_.count) +
       " messages came in time");
}

// Becomes readable when the process is told to stop.
int stop_signal_fd() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void declare(Arguments& arguments, Wanted& wanted) {
  const auto into = [](std::vector<std::string>& filters) {
    return [&filters](const std::string& text) {
      if (const topic::Fault fault = topic::check_filter(text); fault != topic::Fault::none) {
        return "is no topic filter: " + std::string(describe(fault));
      }
      filters.push_back(text);
      return std::string();
    };
  };
  arguments.group("Messages");
  arguments.options("-t,--topic", "FILTER", "A topic filter; may be given several times",
                    into(wanted.filters));
  arguments.options("-T,--filter-out", "FILTER", "Not these topics; may be given several times",
                    into(wanted.without));
  arguments.options("-U,--unsubscribe", "FILTER",
                    "Take this one out of a session that is kept (-c); may be given several times",
                    into(wanted.unsubscribe));
  arguments.number("-q,--qos", "0|1|2", "Highest QoS (default 0)", wanted.qos, 0, 2);
  arguments.number("-C,--count", "N", "End after so many messages", wanted.count, 1,
                   1'000'000'000'000);
  arguments.number("-W,--timeout", "SECONDS", "End after so long; with -C that is a failure",
                   wanted.seconds, 1, 1'000'000'000);
  arguments.flag("-E,--exit-early", wanted.exit_early,
                 "End when the broker has taken the subscriptions (with -c)");
  arguments.flag("-R,--no-retained", wanted.no_retained, "Not what is retained");
  arguments.flag("--retained-only", wanted.retained_only,
                 "Only what is retained; end at the first message that is not");
  arguments.flag("--remove-retained", wanted.remove_retained,
                 "Remove what is retained at the broker once it is printed");
  arguments.flag("--retain-as-published", wanted.retain_as_published,
                 "Keep the retain flag of what comes live (MQTT 5)");
  arguments.option("--retain-handling", "always|new|never",
                   "When to send what is retained (MQTT 5; default always)",
                   [&wanted](const std::string& text) {
                     constexpr std::array<std::string_view, 3> names{"always", "new", "never"};
                     const auto found = std::ranges::find(names, std::string_view(text));
                     if (found == names.end()) return std::string("must be always, new or never");
                     wanted.retain_handling = static_cast<std::uint8_t>(found - names.begin());
                     return std::string();
                   });
  arguments.flag("--no-local", wanted.no_local, "Not what this client publishes itself (MQTT 5)");
  arguments.group("Output");
  arguments.flag("-v,--verbose", wanted.topics, "Print the topic in front of each message");
  arguments.flag("-N", wanted.same_line, "No end of line behind a message");
  arguments.option("-F,--format", "FORMAT",
                   "What is printed: %p payload, %x %X hex, %l length, %t topic, %q QoS, %r "
                   "retained, %m packet id, %j %J JSON, %I %U time, %i client id; of MQTT 5: %A "
                   "alias, %C content type, %D correlation data, %E expiry, %F payload format, %P "
                   "user properties, %R response topic, %S subscription identifier; @Y and so on: "
                   "strftime; \\n \\t; a width as in %-20t",
                   [&wanted](const std::string& text) {
                     auto format = MessageFormat::parse(text);
                     if (!format) return format.error().message;
                     wanted.format = std::move(*format);
                     return std::string();
                   });
}

// "" or what does not go together.
std::string contradiction(const Wanted& wanted, const ClientArguments& client) {
  if (wanted.filters.empty() && wanted.unsubscribe.empty()) return "which topics? (-t)";
  const bool v5 = client.protocol() == mqtt::Version::v5;
  if (!v5 && wanted.no_local) return "--no-local needs MQTT 5 (-V 5)";
  if (!v5 && wanted.retain_as_published) return "--retain-as-published needs MQTT 5 (-V 5)";
  if (!v5 && wanted.retain_handling > 0) return "--retain-handling needs MQTT 5 (-V 5)";
  if (wanted.no_retained && (wanted.retained_only || wanted.remove_retained)) {
    return "--no-retained goes with neither --retained-only nor --remove-retained";
  }
  if (wanted.format && wanted.topics) return "--verbose is for output without --format: use %t";
  if (!wanted.unsubscribe.empty() && !client.keep_session) {
    return "--unsubscribe needs a session that is kept (-c)";
  }
  return "";
}

}  // namespace

int subscribe(Words words) {
  ClientArguments client;
  Wanted wanted;
  Arguments arguments(
      "gnomon sub -t FILTER [options]",
      "Prints the messages of topics, a line each, until it is stopped. The options are those of "
      "mosquitto_sub.",
      {"gnomon sub -t 'lamp/+/state' -v", "gnomon sub -V 5 -t lamp/1/# -q 1 -C 10",
       "gnomon sub -t '#' -F '%I %t %j'", "gnomon sub -t 'old/#' --retained-only --remove-retained",
       "gnomon sub -i me -c -q 1 -t 'lamp/#' -E   # from now on messages are kept for me",
       "gnomon sub -i me -c -q 1 -t 'lamp/#'"});
  declare(arguments, wanted);
  client.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  constexpr std::array sent{Packet::subscribe, Packet::unsubscribe};
  if (const std::string wrong = client.settle(sent); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  if (client.url_topic) wanted.filters.push_back(*client.url_topic);
  if (const std::string wrong = contradiction(wanted, client); !wrong.empty()) {
    return arguments.misuse(wrong);
  }
  wanted.identifier =
      client.properties.number(Packet::subscribe, mqtt::PropertyId::subscription_identifier)
          .value_or(0);
  wanted.subscribe_properties = client.properties.raw(Packet::subscribe);
  wanted.unsubscribe_properties = client.properties.raw(Packet::unsubscribe);
  const int signals = stop_signal_fd();
  Subscriber subscriber(client, std::move(wanted));
  const int code = subscriber.run(signals, [&subscriber] {
    subscriber.stop();
    return false;
  });
  ::close(signals);
  return code;
}

}  // namespace gnomon::cli
