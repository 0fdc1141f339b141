// Generator: the load of device shadows.
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

Numbered question() {
  Numbered document;
  document += R"({"clientToken":")";
  document.number();
  document += R"("})";
  return document;
}

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
  for (LoadClient* client : publishers_) pump(*client);
  const std::uint64_t all = publishers_.size();
  run_until("setting up", report_.delivered, delivery_stall, [&] {
    return report_.delivered + report_.rejected >= all &&
           (options().qos == 0 || acknowledged_ >= all);
  });
  publishing_ = false;
  if (!failure_ && report_.delivered < all) {
    failure_ = Error{Code::unavailable,
                     "only " + std::to_string(report_.delivered) + " of " + std::to_string(all) +
                         " shadows could be set up: no answer on …/shadow/update/accepted"};
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

// Answers come in the order of the requests: this one is for the oldest that has none.
void Generator::on_shadow(LoadClient& client, std::string_view topic) {
  if (client.delivered == client.sent) return;  // nothing is asked: somebody else's
  report_.latency.add(clock_.now() - client.asked[client.delivered % client.asked.size()]);
  ++client.delivered;
  if (topic.ends_with("/accepted")) {
    ++report_.delivered;
  } else {
    ++report_.rejected;
  }
  credit(client);
}

}  // namespace gnomon::cli
