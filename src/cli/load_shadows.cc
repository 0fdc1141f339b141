// Generator: the load of device shadows.
#include <array>

#include "cli/generator.h"

namespace gnomon::cli {

namespace {

// A document with numbers in it.
struct Numbered {
  std::string text;
  std::vector<std::size_t> at;

  Numbered& operator+=(std::string_view more) {
    text += more;
    return *this;
  }
  void number() {
    at.push_back(text.size());
    text.append(topic_digits, '0');
  }
};

// What a device is to be, which its reports differ from: so that there is always a delta.
Numbered wanted() {
  Numbered document;
  document += R"({"state":{"desired":{"sequence":"none"}},"clientToken":")";
  document.number();
  document += R"("})";
  return document;
}

// What a device says of itself: as long as is asked for.
Numbered report(std::size_t bytes) {
  Numbered document;
  document += R"({"state":{"reported":{"sequence":")";
  document.number();
  document += R"(","battery":97.5,"signal":-61,"site":{"room":"kitchen","floor":2},"note":")";
  constexpr std::string_view behind = R"("}},"clientToken":""})";
  const std::size_t size = document.text.size() + behind.size() + topic_digits;
  document.text.append(bytes > size ? bytes - size : 0, 'x');
  document += R"("}},"clientToken":")";
  document.number();
  document += R"("})";
  return document;
}

constexpr std::string_view token_name = R"("clientToken":")";

Numbered question() {
  Numbered document;
  document += "{";
  document += token_name;
  document.number();
  document += R"("})";
  return document;
}

// Whether an answer is to that request; nothing in the shadow itself is called as the token is.
bool answers(std::string_view document, std::uint64_t request) {
  const std::size_t at = document.rfind(token_name);
  if (at == std::string_view::npos) return false;
  std::array<char, topic_digits> token;
  write_number(token.data(), request % topics_max);
  return document.substr(at + token_name.size()).starts_with({token.data(), token.size()});
}

constexpr std::uint64_t set_up_at_once = 1000;  // of how many clients ever: no broker has too much

}  // namespace

void Generator::make_shadows() {
  LoadOptions& o = report_.options;
  o.publishers = o.subscribers;
  for (std::uint32_t i = 0; i < o.subscribers; ++i) {
    LoadClient& client = make_client(i);
    client.publisher = true;
    client.greeting = LoadClient::Greeting::subscribe;
    client.qos = o.qos;
    const std::string shadow = "$aws/things/bench-" + std::to_string(i) + "/shadow/";
    client.filters = {shadow + "update/accepted", shadow + "update/rejected"};
    if (o.shape == Shape::shadow_gets)
      client.filters.insert(client.filters.end(),
                            {shadow + "get/accepted", shadow + "get/rejected"});
    client.topic = shadow + "update";
    client.asked.resize(o.window);
    client.quota = 1;
    const Numbered document = wanted();
    client.prepare_document(o.qos, document.text, document.at);
    publishers_.push_back(&client);
  }
}

// Each shadow is there, and what it is to be; false: not all of them.
bool Generator::set_up_shadows() {
  publishing_ = true;
  const std::uint64_t all = publishers_.size();
  std::size_t begun = 0;
  run_until("setting up", report_.delivered, delivery_stall, [&] {
    for (; begun < all && begun < report_.delivered + set_up_at_once; ++begun)
      pump(*publishers_[begun]);
    return report_.closed > 0 || report_.rejected > 0 ||
           (report_.delivered >= all && (options().qos == 0 || acknowledged_ >= all));
  });
  publishing_ = false;
  if (!failure_ && report_.delivered < all) {
    const std::string why = report_.rejected > 0 ? "rejected: " + report_.rejection
                            : report_.closed > 0 ? "the broker has closed a connection"
                                                 : "no answer on …/shadow/update/accepted";
    failure_ =
        Error{Code::unavailable, "only " + std::to_string(report_.delivered) + " of " +
                                     std::to_string(all) + " shadows could be set up: " + why};
  }
  return !failure_;
}

void Generator::run_shadows() {
  connect(0, clients_.size());
  if (failure_ || !set_up_shadows()) return;
  const Numbered document =
      options().shape == Shape::shadows ? report(options().payload_bytes) : question();
  for (LoadClient* client : publishers_) {
    client->topic = topic_of(client->index);
    client->prepare_document(options().qos, document.text, document.at);
    client->sent = client->acknowledged = client->received = client->delivered = 0;
    client->quota = planned_ == 0 ? UINT64_MAX : quota_of(client->index);
  }
  acknowledged_ = report_.delivered = 0;
  report_.latency = {};
  publish();
}

// Answers come in the order of the requests: this one is for the oldest that has none, or else
// something was lost, repeated or overtaken.
void Generator::on_shadow(LoadClient& client, std::string_view topic, std::string_view document) {
  if (client.delivered == client.sent) return;  // nothing is asked: somebody else's
  if (!answers(document, client.delivered)) ++report_.out_of_order;
  report_.latency.add(clock_.now() - client.asked[client.delivered % client.asked.size()]);
  ++client.delivered;
  if (topic.ends_with("/accepted")) {
    ++report_.delivered;
  } else {
    ++report_.rejected;
    if (report_.rejection.empty()) report_.rejection = document;
  }
  credit(client);
}

}  // namespace gnomon::cli
