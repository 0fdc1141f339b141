// Who owns which table ids: the first byte of every key in the store. A table's id is on disk for
// ever; an owner lists its own where it documents their keys.
#pragma once

#include <cstdint>

namespace gnomon::records {

// The first id of each owner; the next owner's first is behind its last.
enum class Owner : std::uint8_t {
  broker = 0,         // broker/records.h: sessions, queues, retained messages, wills
  registry = 32,      // registry/tables.h
  iam = 64,           // iam/stored.h
  provisioning = 96,  // provisioning/tables.h
  shadow = 112,       // shadow/records.h
  index = 128,        // index/tables.h
  nobody = 144,
};

}  // namespace gnomon::records
