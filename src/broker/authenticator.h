// Who may connect, and what they may do: interfaces for what knows identities to plug in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "mqtt/types.h"
#include "runtime/loop.h"

namespace gnomon::broker {

// Proof: what the transport has proved of who connects (a signed upgrade to a WebSocket), for
// whoever plugs in the authenticator and has made it. Immutable.
class Proof {
 public:
  virtual ~Proof() = default;
};

// What a CONNECT says, and what is known of its connection. Views: valid during the call.
struct Credentials {
  const runtime::Peer& peer;
  const runtime::Security* security = nullptr;  // null: the connection is not encrypted
  std::string_view client_id;
  std::optional<std::string_view> username{};
  std::optional<ByteView> password{};
  bool persistent = false;  // it asks for a session that outlives it, or for one that is there
  bool last_will = false;
  const Proof* proof = nullptr;  // null: there is none
  std::uint64_t basis = 0;       // to renew(): what Identity said
};

// Permissions: what an identity may do. Immutable: every shard reads it without a lock, and who may
// do something else is given another object. Asked once for each topic in a row that a connection
// publishes to (each time if it changes with time), once a filter, and for each message that it
// would receive: quick.
class Permissions {
 public:
  virtual ~Permissions() = default;
  // Wills, too.
  [[nodiscard]] virtual bool may_publish(std::string_view topic, bool retain) const = 0;
  // `filter`: the whole, with `$share/NAME/` (AWS IoT: "Shared subscriptions").
  [[nodiscard]] virtual bool may_subscribe(std::string_view filter) const = 0;
  [[nodiscard]] virtual bool may_receive(std::string_view topic) const = 0;
  // What was allowed a moment ago may not be so now: no answer is to be remembered.
  [[nodiscard]] virtual bool changes_with_time() const { return false; }
};

struct Identity {
  std::string principal;                           // a certificate's id, "user/NAME", "local"
  std::shared_ptr<const Permissions> permissions;  // null: it may do everything
  WallTime until = WallTime::never();  // later than this, by Authenticator::now(), renew() is asked
  std::uint64_t basis = 0;             // stands for what it was proved by; renew() is told it
};
struct Refusal {
  mqtt::Reason reason = mqtt::Reason::not_authorized;
  std::string why;      // for the log and, in MQTT 5, for the client: no secrets
  bool policy = false;  // it is known who it is, and may not connect
  // Of one whom renew() refuses: what it may do all the same, so whether its will is published.
  // Null: what it might do before.
  std::shared_ptr<const Permissions> permissions{};
  bool expired = false;     // what proved who it is has come to its end
  std::string principal{};  // of whom `policy` says that it may not; for events
};
using Verdict = std::variant<Identity, Refusal>;

// Whose permissions may be different now: see Shard::recheck().
struct Principals {
  std::vector<std::string> names;  // sorted
  bool everyone = false;
  bool proven = false;  // all whose transport gave a Proof
  [[nodiscard]] bool has(std::string_view principal, bool has_proof) const {
    return everyone || (proven && has_proof) || std::ranges::binary_search(names, principal);
  }
};

// Authenticator: one for a server, asked by all shards at once.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // The verdict; or nothing, and `later` is called with it, once, on any thread. Later than the
  // connect time-out the client is gone.
  using Later = std::function<void(Verdict)>;
  virtual std::optional<Verdict> authenticate(const Credentials& credentials, Later later) = 0;
  // The same for a connection that was let in as `principal`, since what that rested on may be
  // different now: it is somebody with these permissions, or must end. `credentials` has neither
  // user name nor password, but the basis that the password stood for when it came.
  virtual std::optional<Verdict> renew(const Credentials& credentials, std::string_view principal,
                                       Later later) = 0;
  // The clock that Identity::until is meant by.
  [[nodiscard]] virtual WallTime now() const = 0;
};

}  // namespace gnomon::broker
