// What the store holds of device shadows: tables, keys and records. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "partition/slots.h"
#include "records/key.h"
#include "records/tables.h"
#include "shadow/fields.h"
#include "shadow/topics.h"

namespace gnomon::shadow {

// A shadow lies in the slot of its thing.
//   document  slot | thing | name           Document (document.h)
//   history   slot | thing | name | place   Entry; place: version % limits::shadow_history_max
//   deleted   slot | time | thing | name    Deletion: of that second (sweep.h)
enum class Table : std::uint8_t {
  document = static_cast<std::uint8_t>(records::Owner::shadow),
  history,
  deleted,
};

[[nodiscard]] inline partition::SlotId slot_of(const std::string& thing) {
  return partition::slot_of(partition::KeyKind::thing, thing);
}
[[nodiscard]] inline records::Key key(Table table, const std::string& thing) {
  return records::Key(static_cast<std::uint8_t>(table), slot_of(thing).value).text(thing);
}
[[nodiscard]] inline std::string document_key(const Address& address) {
  return std::string(key(Table::document, address.thing).last(address.name).view());
}

[[nodiscard]] inline records::Key history_prefix(const Address& address) {
  return key(Table::history, address.thing).text(address.name);
}
[[nodiscard]] inline std::string deletion_key(const Address& address, Seconds at) {
  return std::string(
      records::Key(static_cast<std::uint8_t>(Table::deleted), slot_of(address.thing).value)
          .number(at)
          .text(address.thing)
          .last(address.name)
          .view());
}

// Where a request has come from.
enum class Source : std::uint8_t { mqtt, http, rule };

// Who has asked.
struct Who {
  Source source = Source::mqtt;
  std::string principal;
  std::string client_id;  // empty: none
  bool operator==(const Who&) const = default;
  static void fields(auto& who, auto& archive) {
    archive(who.source, who.principal, who.client_id);
  }
};

// Entry: one version of a shadow, in its history. A value.
struct Entry {
  std::uint64_t version = 0;
  WallTime at{};
  Ask ask = Ask::update;  // update, remove, restore
  Who who;
  std::string change;  // {"desired":…,"reported":…} as it was sent
  std::string state;   // what it made of the sections
  bool operator==(const Entry&) const = default;
  static void fields(auto& entry, auto& archive) {
    archive(entry.version, entry.at, entry.ask, entry.who, entry.change, entry.state);
  }
};

// Deletion: all of it is in its key.
struct Deletion {
  static void fields(auto& /*deletion*/, auto& archive) { archive(); }
};

}  // namespace gnomon::shadow
