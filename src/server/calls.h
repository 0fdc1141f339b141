// Calls: requests of the AWS APIs, from the loops to the pool and back.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "iam/iam.h"
#include "net/http.h"
#include "operations/front_door.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "server/authentication.h"
#include "server/effects.h"

namespace gnomon::server {

// Calls: a bounded number at a time (limits::api_calls_max); beyond it the answer is 503, which
// SDKs take as "try again". An answer leaves when what it tells of is durable. Owner: the server.
// Threads: serve(), serve_credentials() and who_signed() the loop's that is given, sample() any.
// Its pool ends before it.
class Calls {
 public:
  struct Setup {
    registry::Registry& registry;
    iam::Iam& iam;
    provisioning::Provisioning& provisioning;
    identity::Devices& devices;
    shadow::Service& shadows;
    operations::Publisher& publisher;
    operations::Connections& connections;
    std::string endpoint;  // what DescribeEndpoint tells
    Random& random;
    const WallClock& shown;
    const MonotonicClock& clock;
    runtime::Pool& pool;
    Effects& effects;
  };
  explicit Calls(const Setup& setup);
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Answers a request whose head has come. What nobody has signed a device may have sent, which
  // shows a certificate.
  void serve(const net::Exchange& exchange, runtime::Loop& loop,
             const Authentication& authentication);
  // A device that asks for credentials of a role by its certificate: GET
  // /role-aliases/{alias}/credentials without a signature.
  [[nodiscard]] static bool wants_credentials(const net::Request& request);
  void serve_credentials(const net::Exchange& exchange, runtime::Loop& loop,
                         const Authentication& authentication);
  // Who has signed the upgrade to a WebSocket that MQTT is to be spoken on: `then` is told, on the
  // loop's thread.
  using ToldSigned = std::function<void(operations::FrontDoor::Signed)>;
  void who_signed(const net::Exchange& exchange, runtime::Loop& loop, ToldSigned then);

  [[nodiscard]] metrics::Sample sample() const { return counts_.sample(); }

 private:
  // One call on its way; counts as long as it is there.
  class Place;
  std::shared_ptr<Place> take_place();
  void answer(const operations::Arrival& arrival, const std::shared_ptr<Place>& place,
              runtime::Loop& loop, const net::HttpServer::Respond& respond);
  void send(const operations::Arrival& arrival, operations::Answer answer,
            const std::shared_ptr<Place>& place, runtime::Loop& loop,
            const net::HttpServer::Respond& respond);

  const Setup setup_;
  operations::World world_;
  operations::CallCounts counts_;
  const operations::FrontDoor door_;
  // With each place, too: what is told of one may be dropped when the server has gone.
  const std::shared_ptr<std::atomic<int>> open_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace gnomon::server
