// Handlers: what an operation does, between the input that the front door has bound, validated and
// authorised, and the output that it renders. No logic of its own: each calls the module that
// knows.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/error.h"
#include "api/tables.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "iam/caller.h"
#include "json/json.h"
#include "policy/policy_set.h"
#include "registry/registry.h"
#include "store/store.h"

namespace gnomon::iam {
struct Iam;
}
namespace gnomon::identity {
class Devices;
}
namespace gnomon::provisioning {
struct Provisioning;
}
namespace gnomon::shadow {
class Service;
}

namespace gnomon::operations {

class Connections;
class Publisher;

// What handlers work with. Borrowed; all of it may be used by any thread.
struct World {
  registry::Registry& registry;
  iam::Iam& iam;
  provisioning::Provisioning& provisioning;
  identity::Devices& devices;
  std::string endpoint;  // "localhost": what DescribeEndpoint tells
  shadow::Service* shadows = nullptr;
  Publisher* publisher = nullptr;
  Connections* connections = nullptr;
};

// One call. Borrowed.
struct Context {
  World& world;
  const api::Operation& operation;
  const iam::Caller& caller;
  WallTime now;
  // The condition keys that any call has: aws:SourceIp, aws:SecureTransport, …
  std::span<const policy::KeyValues> keys{};
};

struct Done;
using Outcome = Result<Done, api::ApiError>;

// Later: what an operation begins, and tells the outcome of when it knows: once, on any thread,
// also before it returns. Empty: all is done.
struct Later {
  using Tell = std::function<void(Outcome, json::Value output)>;
  std::function<void(Tell)> begin{};
  explicit operator bool() const { return static_cast<bool>(begin); }
};

// What comes of it beside the output.
struct Done {
  store::Sequence sequence = 0;  // durable first, then the answer and the effects leave; 0: nothing
  registry::Effects effects{};
  bool callers =
      false;      // what callers may do has changed: whoever signed is to be asked about again
  Later later{};  // then this tells nothing yet, and there is no output
};

// `input`: an object with the modelled members that are there (api::bind()); `output`: an empty
// object, to be given members of the modelled output (api/render.h). On the pool: it may read the
// store and make keys; it does not wait for a sync. Throws: bugs only.
using Handler = Outcome (*)(Context& context, const json::Value& input, json::Value& output);

// Null: nobody has built it; it is answered 501. A row (api/rows) without a handler is one that is
// to come.
[[nodiscard]] Handler handler_of(const api::Operation& operation);

}  // namespace gnomon::operations
