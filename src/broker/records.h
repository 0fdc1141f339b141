// What the broker keeps in the store: the tables, their keys and their values. Pure.
//
// A key begins `table | tenant | slot`, one byte each; numbers in keys are big-endian, so that they
// sort. A value begins with a version byte; its numbers are little-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/presence.h"
#include "partition/slots.h"
#include "topic/index.h"

namespace gnomon::broker::records {

using partition::SlotId;

enum class Table : std::uint8_t {
  meta = 0,          // name → number; slot 0
  will = 1,          // client id → Will: of a connection that is open, or whose will is delayed
  session = 2,       // client id → Session
  subscription = 3,  // session number, filter → Subscription
  queue = 4,         // session number, sequence → Entry
  body = 5,          // body id → encoded message that several entries of the slot share
  received = 6,      // session number, packet id → forward sequence (QoS 2 from the client)
  forward = 7,       // forward sequence → encoded message, on its way from this slot
  mark = 8,          // forwarding slot → the highest forward sequence taken from it
  retained = 9,      // topic → Retained
  group = 10,        // group number, sequence → Entry; slot of the whole `$share` filter
  share = 11,        // `$share` filter → group number
  hand = 12,         // forward sequence → Hand, on its way from this slot to a session
  presence = 13,     // client id → Presence: of a connection that is open, with something durable
  tables             // at most 32: records/tables.h says who owns the ids behind
};

// Each takes the table's slot: that of the client id, the topic or the share group.
std::string prefix(Table table, SlotId slot);
std::string key(Table table, SlotId slot, std::string_view text);
std::string key(Table table, SlotId slot, std::uint64_t number);
std::string key(Table table, SlotId slot, std::uint64_t number, std::uint64_t second);
std::string key(Table table, SlotId slot, std::uint64_t number, std::string_view text);
// The first key behind all that begin with `prefix`.
std::string behind(std::string prefix);
// What follows `table | tenant | slot`.
std::string_view rest(std::string_view key);
// The big-endian number at the front of `text`, which is cut off. Shorter than 8 bytes: 0.
std::uint64_t take_number(std::string_view& text);

// ---- values. read() is false for bytes that are no such value: the store is damaged.

struct Will {
  std::uint64_t generation = 0;  // of the connection that left it
  std::uint32_t delay_seconds = 0;
  std::optional<std::uint32_t> expiry_seconds;
  WallTime due{};       // 0: its connection is open
  bool grace = false;   // not kept: due only if the client does not return after a restart
  std::string message;  // encoded
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);
};

// What is told of the end of a connection, should the server not live to see it.
struct Presence {
  std::uint64_t version = 0;
  SessionIdentifier session{};
  std::string principal;
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);
};

struct Session {
  std::uint64_t number = 0;  // never used twice
  std::uint32_t expiry_seconds = 0;
  WallTime gone{};            // when its connection ended; 0: it is connected
  std::uint64_t sent_to = 0;  // queue entries below it were sent at least once
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);
};

struct Subscription {
  topic::Options options;
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);
};

// One message for one session (or group). `message` is what is stored inline; with a body it is
// empty.
struct Entry {
  std::uint8_t qos = 1;   // as it will be sent
  bool retain = false;    // the same
  bool released = false;  // PUBREC came: only PUBREL and PUBCOMP are left, the message is gone
  std::uint64_t body = 0;
  std::vector<std::uint32_t> identifiers;
  std::string_view message;  // encoded
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);  // `message` points into it
};

// A QoS 2 message that a share group has given to a session.
struct Hand {
  std::string_view filter;     // of the group, whole
  std::string_view client_id;  // of the session
  std::uint64_t number = 0;    // the same
  bool retain = false;
  std::uint32_t identifier = 0;
  std::string_view message;  // encoded
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);  // the texts point into it
};

// `run` says whose message id it is: ids are unique within a run of the server.
struct Retained {
  std::uint64_t run = 0;
  std::string_view message;  // encoded
  [[nodiscard]] std::string write() const;
  bool read(std::string_view value);
};

[[nodiscard]] std::string write_number(std::uint64_t number);
bool read_number(std::string_view value, std::uint64_t& number);

}  // namespace gnomon::broker::records
