// What the fleet index keeps in the store: its tables and their keys.
#pragma once

#include <cstdint>

#include "records/key.h"
#include "records/tables.h"

namespace gnomon::index {

// All lie in slot 0, so that the things of a term are in the order of their names.
//   configuration  –                    Configuration (configuration.h)
//   posting        field, value, thing  nothing; see terms.h for the value
//   connectivity   thing                fleet/connectivity.h
enum class Table : std::uint8_t {
  configuration = static_cast<std::uint8_t>(records::Owner::index),
  posting,
  connectivity,
};

[[nodiscard]] inline records::Key key(Table table) {
  return records::Key(static_cast<std::uint8_t>(table));
}

}  // namespace gnomon::index
