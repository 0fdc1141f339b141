#include "server/calls.h"

#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "operations/role_credentials.h"

namespace gnomon::server {

using operations::Answer;
using operations::Arrival;

class Calls::Place {
 public:
  Place(std::shared_ptr<std::atomic<int>> open, const MonotonicClock& clock)
      : open_(std::move(open)), clock_(clock), began_(clock.now()) {}
  ~Place() { open_->fetch_sub(1, std::memory_order_relaxed); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  [[nodiscard]] std::int64_t microseconds() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - began_).count();
  }

 private:
  const std::shared_ptr<std::atomic<int>> open_;
  const MonotonicClock& clock_;
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

// How a request has come, without itself.
Arrival arrival_of(const net::Exchange& exchange) {
  const runtime::Security* const security = exchange.security();
  Arrival arrival{{}, exchange.peer()->address(), security != nullptr};
  if (security != nullptr) {
    arrival.device.certificate = security->certificate;
    arrival.device.host = security->host;
  }
  return arrival;
}

// Whether a request that nobody has signed may be for an operation.
bool is_open(const net::Request& head, const Arrival& arrival) {
  api::Call open;
  return api::find_open(api::unsigned_call, head, open) != nullptr ||
         (!arrival.device.certificate.empty() &&
          api::find_open(api::client_certificate, head, open) != nullptr);
}

}  // namespace

Calls::Calls(const Setup& setup)
    : setup_(setup),
      world_{setup.registry, setup.iam,      setup.provisioning, setup.devices,
             setup.endpoint, &setup.shadows, &setup.publisher,   &setup.connections},
      door_({world_, setup.random, setup.shown, setup.clock, counts_}) {}

std::shared_ptr<Calls::Place> Calls::take_place() {
  if (open_->fetch_add(1, std::memory_order_relaxed) >= limits::api_calls_max) {
    open_->fetch_sub(1, std::memory_order_relaxed);
    counts_.refused(operations::CallCounts::Refused::busy);
    return nullptr;
  }
  return std::make_shared<Place>(open_, setup_.clock);
}

void Calls::serve(const net::Exchange& exchange, runtime::Loop& loop,
                  const Authentication& authentication) {
  const net::Request& head = *exchange.request();
  auto arrival = std::make_shared<Arrival>(arrival_of(exchange));
  // What nobody has signed and nobody may call so: neither its body is waited for nor the store
  // asked.
  if (!api::is_signed(head) && !is_open(head, *arrival)) {
    arrival->request = head;
    return exchange.respond(door_.serve(*arrival).response);
  }
  // The place is taken when the body is there: a client that trickles takes nobody's.
  exchange.collect_body(limits::api_body_bytes_max, [this, arrival, &loop, &authentication](
                                                        const net::Request& request,
                                                        net::HttpServer::Respond respond) {
    const auto place = take_place();
    if (!place) return respond(busy());
    arrival->request = request;
    setup_.pool.run([this, arrival, place, &loop, &authentication, respond = std::move(respond)] {
      if (!arrival->device.certificate.empty())
        arrival->device.authorities = authentication.authorities();
      answer(*arrival, place, loop, respond);
    });
  });
}

void Calls::answer(const Arrival& arrival, const std::shared_ptr<Place>& place, runtime::Loop& loop,
                   const net::HttpServer::Respond& respond) {
  Answer answer = door_.serve(arrival);
  if (!answer.later) return send(arrival, std::move(answer), place, loop, respond);
  answer.later([this, arrival, place, &loop, respond](Answer told) {
    send(arrival, std::move(told), place, loop, respond);
  });
}

void Calls::send(const Arrival& arrival, Answer answer, const std::shared_ptr<Place>& place,
                 runtime::Loop& loop, const net::HttpServer::Respond& respond) {
  auto made = std::make_shared<Answer>(std::move(answer));
  // The place is given back once the answer is with its connection.
  auto leave = [this, arrival = std::make_shared<Arrival>(arrival), made, place, &loop, respond] {
    if (made->done.callers) setup_.effects.recheck_signed();
    log_call(*arrival, *made, place->microseconds());
    loop.post([made, place, respond] { respond(std::move(made->response)); });
  };
  if (made->done.sequence == 0) return leave();
  setup_.effects.when_durable(made->done.sequence, std::move(made->done.effects), std::move(leave));
}

bool Calls::wants_credentials(const net::Request& request) {
  return request.method == "GET" && operations::alias_of(request.path()) &&
         !api::is_signed(request);
}

void Calls::serve_credentials(const net::Exchange& exchange, runtime::Loop& loop,
                              const Authentication& authentication) {
  Arrival arrival = arrival_of(exchange);
  exchange.collect_body(
      0, [this, arrival = std::move(arrival), &loop, &authentication](
             const net::Request& request, net::HttpServer::Respond respond) mutable {
        const auto place = take_place();
        if (!place) return respond(busy());
        arrival.request = request;
        setup_.pool.run([this, arrival = std::move(arrival), place, &loop, &authentication,
                         respond = std::move(respond)]() mutable {
          arrival.device.authorities = authentication.authorities();
          Answer answer = operations::role_credentials(world_, arrival, setup_.shown.now());
          if (answer.response.status == 403)
            counts_.refused(operations::CallCounts::Refused::policy);
          send(arrival, std::move(answer), place, loop, respond);
        });
      });
}

void Calls::who_signed(const net::Exchange& exchange, runtime::Loop& loop, ToldSigned then) {
  auto place = take_place();
  if (!place)
    return then({nullptr, {503, "ServiceUnavailableException", "Too many calls at once"}, {}});
  Arrival arrival = arrival_of(exchange);
  arrival.request = *exchange.request();
  setup_.pool.run([this, arrival = std::move(arrival), place = std::move(place), &loop,
                   then = std::move(then)] {
    auto told = std::make_shared<operations::FrontDoor::Signed>(
        door_.who_signed(arrival, "iotdevicegateway"));
    loop.post([told, then] { then(std::move(*told)); });
  });
}

}  // namespace gnomon::server
