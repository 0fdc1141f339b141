#include "server/calls.h"

#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace gnomon::server {

using operations::Answer;
using operations::Arrival;

class Calls::Place {
 public:
  explicit Place(Calls& calls) : calls_(calls), began_(calls.setup_.clock.now()) {}
  ~Place() { calls_.open_.fetch_sub(1, std::memory_order_relaxed); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  [[nodiscard]] std::int64_t microseconds() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(calls_.setup_.clock.now() - began_)
        .count();
  }

 private:
  Calls& calls_;
  const Instant began_;
};

namespace {

// Any protocol's clients look at the status alone.
net::Response busy() {
  return {503,
          {{"Content-Type", "application/json"},
           {"x-amzn-ErrorType", "ServiceUnavailableException"},
           {"Retry-After", "1"}},
          R"({"message":"Too many calls at once; try again."})"};
}

std::string_view or_dash(const std::string& text) {
  return text.empty() ? "-" : std::string_view(text);
}

void log_call(const Arrival& arrival, const Answer& answer, std::int64_t microseconds) {
  if (!log_enabled(LogLevel::info)) return;
  const api::Operation* const operation = answer.operation;
  const std::string name =
      operation == nullptr
          ? arrival.request.method + ' ' + std::string(arrival.request.path())
          : std::string(operation->service->name) + ':' + std::string(operation->name);
  log_info("api_call", {{"operation", name},
                        {"status", answer.response.status},
                        {"error", or_dash(answer.error)},
                        {"caller", or_dash(answer.caller)},
                        {"peer", arrival.address},
                        {"request", answer.request_id},
                        {"us", microseconds}});
}

}  // namespace

Calls::Calls(const Setup& setup)
    : setup_(setup),
      world_{setup.registry, setup.iam, setup.provisioning, setup.endpoint},
      door_({world_, setup.random, setup.shown, setup.clock, counts_}) {}

std::shared_ptr<Calls::Place> Calls::take_place() {
  if (open_.fetch_add(1, std::memory_order_relaxed) >= limits::api_calls_max) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    counts_.refused(operations::CallCounts::Refused::busy);
    return nullptr;
  }
  return std::make_shared<Place>(*this);
}

void Calls::serve(const net::Exchange& exchange, runtime::Loop& loop) {
  const net::Request& head = *exchange.request();
  auto arrival = std::make_shared<Arrival>();
  arrival->address = exchange.peer()->address();
  arrival->encrypted = exchange.security() != nullptr;
  // What nobody has signed and nobody may call so: neither its body is waited for nor the store
  // asked.
  api::Call open;
  if (!api::is_signed(head) && api::find_open(api::unsigned_call, head, open) == nullptr) {
    arrival->request = head;
    return exchange.respond(door_.serve(*arrival).response);
  }
  // The place is taken when the body is there: a client that trickles takes nobody's.
  exchange.collect_body(
      limits::http_body_bytes_max,
      [this, arrival, &loop](const net::Request& request, net::HttpServer::Respond respond) {
        const auto place = take_place();
        if (!place) return respond(busy());
        arrival->request = request;
        setup_.pool.run([this, arrival, place, &loop, respond = std::move(respond)] {
          answer(*arrival, place, loop, respond);
        });
      });
}

void Calls::answer(const Arrival& arrival, const std::shared_ptr<Place>& place, runtime::Loop& loop,
                   const net::HttpServer::Respond& respond) {
  auto answer = std::make_shared<Answer>(door_.serve(arrival));
  // The place is given back once the answer is with its connection.
  auto send = [arrival = std::make_shared<Arrival>(arrival), answer, place, &loop, respond] {
    log_call(*arrival, *answer, place->microseconds());
    loop.post([answer, place, respond] { respond(std::move(answer->response)); });
  };
  if (answer->done.sequence == 0) return send();
  setup_.effects.when_durable(answer->done.sequence, std::move(answer->done.effects),
                              std::move(send));
}

void Calls::who_signed(const net::Request& request, runtime::Loop& loop, ToldSigned then) {
  auto place = take_place();
  if (!place)
    return then({nullptr, {503, "ServiceUnavailableException", "Too many calls at once"}, {}});
  setup_.pool.run([this, request, place = std::move(place), &loop, then = std::move(then)] {
    auto told = std::make_shared<operations::FrontDoor::Signed>(
        door_.who_signed(request, "iotdevicegateway"));
    loop.post([told, then] { then(std::move(*told)); });
  });
}

}  // namespace gnomon::server
