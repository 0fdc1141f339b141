#include "server/claims.h"

#include <string>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace gnomon::server {

using provisioning::ClaimAnswer;
using provisioning::ClaimTopic;

struct Claims::Request {
  ClaimTopic topic;
  std::string payload;
  provisioning::Claimant claimant;
  Later answer;
  ClaimAnswer answered{};
};

bool Claims::takes(std::string_view topic) {
  return provisioning::read_claim_topic(topic).has_value();
}

void Claims::publish(const broker::ReservedPublish& request, Later answer) {
  const auto topic = provisioning::read_claim_topic(request.topic);
  if (open_.fetch_add(1, std::memory_order_relaxed) >= limits::claims_open_max) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    count(Result::busy);
    ClaimAnswer busy = provisioning::reject_claim(
        *topic, {429, "Throttling", "Too many requests at once; try again."});
    return answer({std::move(busy.topic), std::move(busy.payload)});
  }
  auto waiting = std::make_shared<Request>(
      Request{*topic,
              std::string(as_text(request.payload)),
              {std::string(request.principal), std::string(request.client_id)},
              std::move(answer)});
  setup_.pool.run([this, waiting = std::move(waiting)] { serve(waiting); });
}

void Claims::serve(const std::shared_ptr<Request>& request) {
  request->answered = provisioning::answer_claim(setup_.provisioning, request->topic,
                                                 as_bytes(request->payload), request->claimant);
  ClaimAnswer& answered = request->answered;
  const bool accepted = answered.topic.ends_with("/accepted");
  count(accepted ? Result::accepted : Result::rejected);
  log_info("fleet_provisioning", {{"topic", answered.topic},
                                  {"client", request->claimant.client_id},
                                  {"principal", request->claimant.principal}});
  const auto send = [this, request] {
    open_.fetch_sub(1, std::memory_order_relaxed);
    request->answer({std::move(request->answered.topic), std::move(request->answered.payload)});
  };
  if (answered.sequence == 0) return send();
  setup_.when_durable(answered.sequence, std::move(answered.effects), send);
}

metrics::Sample Claims::sample() const {
  using metrics::Kind;
  constexpr const char* help = "Requests for fleet provisioning by MQTT, by result.";
  static constexpr auto rows = std::to_array<metrics::Row>({
      {"gnomon_claims_total", Kind::counter, "result=\"accepted\"", help},
      {"gnomon_claims_total", Kind::counter, "result=\"rejected\"", help},
      {"gnomon_claims_total", Kind::counter, "result=\"busy\"", help},
  });
  static_assert(rows.size() == results);
  std::vector<std::uint64_t> values;
  for (const auto& count : counts_) values.push_back(count.load(std::memory_order_relaxed));
  return {rows, std::move(values)};
}

}  // namespace gnomon::server
