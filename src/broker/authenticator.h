// Who may connect, and what they may do: interfaces for what knows identities to plug in.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
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
  std::optional<std::string_view> username;
  std::optional<ByteView> password;
  bool persistent = false;  // it asks for a session that outlives it, or for one that is there
  bool last_will = false;
  const Proof* proof = nullptr;  // null: there is none
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
  // `filter`: without `$share/NAME/`.
  [[nodiscard]] virtual bool may_subscribe(std::string_view filter) const = 0;
  [[nodiscard]] virtual bool may_receive(std::string_view topic) const = 0;
  // What was allowed a moment ago may not be so now: no answer is to be remembered.
  [[nodiscard]] virtual bool changes_with_time() const { return false; }
};

struct Identity {
  std::string principal;                           // a certificate's id, "user/NAME", "local"
  std::shared_ptr<const Permissions> permissions;  // null: it may do everything
};
struct Refusal {
  mqtt::Reason reason = mqtt::Reason::not_authorized;
  std::string why;      // for the log and, in MQTT 5, for the client: no secrets
  bool policy = false;  // it is known who it is, and may not connect
};
using Verdict = std::variant<Identity, Refusal>;

// Whose permissions may be different now: see Shard::recheck().
struct Principals {
  std::vector<std::string> names;  // sorted
  bool everyone = false;
  [[nodiscard]] bool has(std::string_view principal) const {
    return everyone || std::ranges::binary_search(names, principal);
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
  // user name nor password: the password was right when it came.
  virtual std::optional<Verdict> renew(const Credentials& credentials, std::string_view principal,
                                       Later later) = 0;
};

}  // namespace gnomon::broker
