// The front door of the AWS APIs: from a request that has arrived to its answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/authority.h"
#include "api/operation.h"
#include "api/sigv4.h"
#include "crypto/certificate.h"
#include "net/http_message.h"
#include "operations/call_counts.h"
#include "operations/handler.h"

namespace gnomon::operations {

// What a device shows in the TLS handshake.
struct DeviceProof {
  std::string certificate;                         // DER; "": none
  std::string host;                                // that TLS was begun for; or ""
  std::vector<crypto::Certificate> authorities{};  // identity::Devices::admit() wants them
};

// A request with its body, and how it came.
struct Arrival {
  net::Request request;
  std::string address;     // "192.0.2.1": aws:SourceIp
  bool encrypted = false;  // aws:SecureTransport
  DeviceProof device{};    // of one that nobody has signed
};

// What is to be done: first `done.sequence` is made durable, then `done.effects` happen and
// `response` is sent.
struct Answer {
  net::Response response;
  Done done{};
  // It is not known yet: begins what tells it, once, on any thread, as this but for `later`.
  std::function<void(std::function<void(Answer)>)> later{};
  // For the access log. `operation` null: none was found; `error` and `caller` may be "".
  const api::Operation* operation = nullptr;
  std::string request_id, error, caller;
};

// FrontDoor: find, verify, bind, authorise, handle, render. Who has signed acts by IAM's policies;
// of what a row lets be called so, a device acts by those of its certificate. Whoever may not do
// something learns that it is not allowed, and nothing of what is there. Threads: any; it reads and
// writes the store, so not a loop's.
class FrontDoor {
 public:
  struct Setup {
    World& world;
    Random& random;               // for request ids; any thread
    const WallClock& shown;       // what others see on their clocks
    const MonotonicClock& clock;  // for how long things take
    CallCounts& counts;
  };
  explicit FrontDoor(const Setup& setup) : setup_(setup) {}

  // Does not throw: what a handler throws is a bug, which is logged and answered 500.
  [[nodiscard]] Answer serve(const Arrival& arrival) const;

  // The answer to a request whose body is longer than any may be, by its head: who has signed it is
  // not asked, as the body's hash cannot be.
  [[nodiscard]] net::Response refuse_body(const net::Request& head, bool has_certificate) const;

  // Who has signed a request that is none of an operation's, as the upgrade to a WebSocket: nothing
  // of it is authorised yet. `service` is the one that the scope must name ("iotdevicegateway").
  struct Signed {
    std::shared_ptr<const iam::Caller> caller;  // null: nobody
    api::ApiError error{};                      // why
    std::string request_id{};
    std::string security_token{};            // of a temporary key; or ""
    std::vector<api::KeyWithValues> keys{};  // condition keys, for all that is asked on it
  };
  [[nodiscard]] Signed who_signed(const Arrival& arrival, std::string_view service) const;

 private:
  struct Visit;
  [[nodiscard]] std::optional<api::ApiError> admit(Visit& visit) const;
  [[nodiscard]] std::optional<api::ApiError> admit_open(Visit& visit) const;
  [[nodiscard]] std::optional<api::ApiError> admit_device(Visit& visit) const;
  [[nodiscard]] std::optional<api::ApiError> authorise(Visit& visit) const;
  [[nodiscard]] std::optional<api::ApiError> authorise_device(Visit& visit) const;
  [[nodiscard]] std::optional<api::ApiError> handle(Visit& visit, Answer& answer) const;
  // What answers in place of `answer` when the operation has told its outcome.
  void put_off(Later later, Answer& answer, Instant began) const;
  [[nodiscard]] std::optional<api::ApiError> verify(Visit& visit,
                                                    const api::Demands& demands) const;

  const Setup setup_;
};

}  // namespace gnomon::operations
