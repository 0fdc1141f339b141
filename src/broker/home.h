// Home: who holds a client id. Pure.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "broker/mail.h"
#include "broker/presence.h"

namespace gnomon::broker {

// Mail for a shard.
struct Addressed {
  ShardId to = 0;
  Mail mail;
};

// Home: the client ids of one slot. Every CONNECT claims its id here, so that one connection at
// most holds it, wherever the two meet. Take-over: Evict the holder, wait for its Release, Grant to
// the claimant. One claimant waits at a time: a newer one makes the older one's claim void (Deny).
// A claim is answered once, by Grant or Deny; a grant is given back once, by Release.
// Owner: the partition that runs the slot. Mail of one shard arrives in order; nothing else is
// assumed of the order of mail.
class Home {
 public:
  // Generations grow from here: above those of earlier runs.
  void begin_at(Generation generation) { generation_ = generation; }

  // Both append what must be sent. Grants are for the caller to hold back until what it wrote for
  // them is durable.
  void claim(const std::string& client_id, const ConnectionRef& connection,
             std::vector<Addressed>& out);
  // The connection, to which the id was granted, has ended.
  void release(const std::string& client_id, const ConnectionRef& connection,
               std::vector<Addressed>& out);

  // What is told of the connection that holds an id.
  struct Present {
    SessionIdentifier session{};
    std::uint64_t version = 0;
    WallTime since{};       // 0: it has not got its CONNACK yet
    bool recorded = false;  // in the store
  };
  // Null: nobody holds the id.
  [[nodiscard]] Present* present(const std::string& client_id);
  // Calls `each(client id, Present)` for all that are held.
  template <class F>
  void each_present(F&& each) const {
    for (const auto& [client_id, held] : held_) each(client_id, held.present);
  }
  // The connection that holds the id, or null.
  [[nodiscard]] const ConnectionRef* holder(const std::string& client_id) const;
  [[nodiscard]] std::size_t size() const { return held_.size(); }

 private:
  struct Held {
    ConnectionRef holder;
    ConnectionRef claimant;  // valid while evicting
    bool evicting = false;
    Present present;
  };
  void grant(Held& held, const ConnectionRef& to, std::vector<Addressed>& out);

  std::unordered_map<std::string, Held> held_;
  Generation generation_ = 0;
};

}  // namespace gnomon::broker
