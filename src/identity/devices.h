// Who a connection is, and what its IoT policies let it do: certificates of the registry, and the
// identities that need none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"
#include "crypto/certificate.h"
#include "identity/decisions.h"
#include "identity/standing.h"
#include "policy/policy_set.h"
#include "registry/authorities.h"
#include "registry/certificates.h"
#include "registry/registry.h"

namespace gnomon::identity {

// Admission: who somebody is, and what holds for that client id from that address. It holds until
// Effects name the principal, a certificate within its dates. A value, immutable.
struct Admission {
  std::string principal;  // a certificate's id, "local", "user/NAME"
  // Compiled with what is known of the connection; null: everything is allowed, whatever is asked.
  std::shared_ptr<const policy::PolicySet> policies;
  WallTime not_before{0}, not_after = WallTime::never();
  bool anywhere = false;  // it is the same for every client id and address
};

struct Denial {
  std::string why;       // for the log and, in MQTT 5, for the client: no secrets
  bool policy = false;   // by policy: `why` names a decision that decisions() explains
  bool trouble = false;  // the store could not be read: another time it may be otherwise
};

using Outcome = std::variant<Admission, Denial>;

// What the registry has changed while a connection was looked at.
struct Change {
  store::Sequence sequence = 0;  // durable first,
  registry::Effects effects;     // then these,
  std::function<void()> then;    // and this; may be empty
};

// Certificates that `gnomon device cert` has signed while nobody looked, by their id.
struct Offline {
  std::function<bool(const std::string& id)> is_left;
  std::function<void(const std::string& id)> take;  // it is registered: it is left no more
};

// Just-in-time provisioning, which lies above: registers a certificate of a CA with a registration
// config and makes what its template says, as one batch.
using Provision = std::function<registry::Written<registry::Nothing>(
    const crypto::Certificate& certificate, const registry::CaCertificateDescription& ca)>;

// Devices: Owner: the server. Threads: any, all functions; what has to do with the store may wait
// for its lock, so: a pool's.
class Devices {
 public:
  struct Setup {
    registry::Registry& registry;
    const MonotonicClock& clock;
    const WallClock& shown;  // what others see on their clocks: for dates of certificates
    Offline offline;
    std::function<void(Change)> changed;
    Provision provision{};  // empty: templates of CAs are not looked at
  };
  explicit Devices(Setup setup) : setup_(std::move(setup)) {}

  // A certificate is let in if it is registered, ACTIVE, within its dates and, where it says what
  // it is for, for TLS clients. One that nobody knows
  //   - and that is left in the folder, signed by one of `own`, is registered ACTIVE with the
  //   policy
  //     gnomon-devices;
  //   - and that an ACTIVE CA with auto-registration has signed becomes PENDING_ACTIVATION. It is
  //     denied, and so it is as long as that is its status; $aws/events/certificates/registered/CA
  //     tells of each attempt. If the CA has a template, it is provisioned by that instead: this
  //     connection is denied, the next one is let in. What cannot be provisioned is pending, and
  //     tried again at each connection.
  Outcome admit(const crypto::Certificate& certificate, std::span<const crypto::Certificate> own,
                const Arrival& arrival);
  // Who needs no certificate: "local" by the policies of gnomon:local, "user/NAME" by those of
  // gnomon:user/NAME and gnomon:users. Whoever calls has made sure that it is so.
  Outcome admit(const std::string& principal, const Arrival& arrival);

  // Whether an admission lets the CONNECT in: iot:Connect on client/CLIENT-ID. Does not read the
  // store.
  std::optional<Denial> connect(const Admission& admission, const Arrival& arrival);
  // The same of anything else that it asks for; `event` ("credentials_denied") is the log line of a
  // refusal.
  std::optional<Denial> ask(const Admission& admission, const Arrival& arrival,
                            std::string_view event, const policy::Request& request);

  // The certificate is registered, or was, but its file is still there: the server ended, or could
  // not remove it. It is taken now. For those that are left at a start.
  void settle(const std::string& certificate_id);

  [[nodiscard]] const Decisions& decisions() const { return decisions_; }
  // The documents that policies were read from; for suppose().
  [[nodiscard]] Documents& documents() { return documents_; }

 private:
  using Status = std::variant<registry::CertificateStatus, Denial>;
  Status meet(const crypto::Certificate& certificate, std::span<const crypto::Certificate> own);
  Status register_left(const crypto::Certificate& certificate,
                       std::span<const crypto::Certificate> own);
  Status register_arrival(const crypto::Certificate& certificate);
  // By the first of these that has a template. Nothing: there is none, or it could not be done.
  std::optional<Denial> provision(const crypto::Certificate& certificate,
                                  std::span<const registry::CaCertificateDescription> issuers);
  // The same, of one that is pending, by the CA that it was registered with.
  std::optional<Denial> provision_pending(const crypto::Certificate& certificate);
  // Takes it from those that are left, once what was written up to `sequence` is durable.
  void take(const std::string& certificate_id, store::Sequence sequence);
  void announce_pending(const std::string& certificate_id, store::Sequence sequence,
                        registry::Effects effects);

  const Setup setup_;
  Decisions decisions_;
  Documents documents_;
  Guarded<LogLimiter> limiter_{LogLimiter(20)};
};

}  // namespace gnomon::identity
