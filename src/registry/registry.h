// The registry: what all its operations are given, and what a change brings with it. The operations
// are plain functions, in a header for each group of them (README.md).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "crypto/issue.h"
#include "records/transaction.h"
#include "registry/failure.h"
#include "store/store.h"

namespace gnomon::registry {

// Registry: the ports. Nothing is held in memory, so it is cheap to make.
// Owner:   the server. Threads: any, all operations: the pool of the API. They wait for nobody but
// the store's lock.
struct Registry {
  store::Store& store;
  const WallClock& clock;  // the date as people have it (docs/decisions/0012-two-clocks.md)
  Random& random;          // fit for keys, for any thread
  const crypto::Authority& devices;  // signs the certificates that are made here
  std::string account;               // "123456789012"
  std::string region;                // "us-east-1"
};

// "arn:aws:iot:us-east-1:123456789012:" and what follows: "thing/lamp".
[[nodiscard]] std::string arn(const Registry& registry, std::string_view resource);
// What follows in an ARN of this account and region; empty: it is of another one, or none.
[[nodiscard]] std::string_view resource_of(const Registry& registry, std::string_view arn);
// The name that a request gives either as it is or as ARN, "arn:…:thing/lamp" for `kind` "thing/".
// Errors: invalid_request (neither, both with different names, no such ARN).
Reply<std::string> name_of(const Registry& registry, std::string_view kind, std::string_view name,
                           std::string_view arn);

// A message of the registry's own, for whoever subscribes; topic and JSON as AWS IoT's.
struct Event {
  std::string topic, payload;
};

// What is to happen once a change is durable.
struct Effects {
  // To be published, in their order, if UpdateEventConfigurations has enabled them.
  std::vector<Event> events;
  // Whose permissions may be others now: ids of certificates and of Cognito identities. They hold
  // from the next CONNECT on in any case; connections of these are to be checked again.
  std::vector<std::string> principals;
  bool everyone = false;  // too many to name: check all connections
  bool indexing = false;  // what the fleet index holds is to be others now
};

// An operation that changed something.
template <class T>
struct Done {
  T value;
  store::Sequence sequence = 0;  // durable first (Store::durable), then the answer and the effects
  Effects effects;
};
template <class T>
using Written = Result<Done<T>, Failure>;

}  // namespace gnomon::registry
