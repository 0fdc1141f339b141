#include "partition/slots.h"

#include <string>

#include "base/hash.h"

namespace gnomon::partition {

SlotId slot_of(KeyKind kind, std::string_view key) {
  // Client ids fit the small-string buffer, so this does not allocate for them.
  std::string text{static_cast<char>(kind), '\0'};
  text += key;
  return SlotId(static_cast<std::uint8_t>(stable_hash(text)));
}

}  // namespace gnomon::partition
