#include "partition/slots.h"

#include <string>

#include "base/hash.h"

namespace gnomon::partition {
namespace {

// Part of what is hashed, so fixed for ever. By name, so that the enum's order means nothing.
constexpr std::string_view name_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::client_id:
      return "client_id";
    case KeyKind::thing:
      return "thing";
    case KeyKind::topic:
      return "topic";
    case KeyKind::share_group:
      return "share_group";
  }
  return "";
}

}  // namespace

SlotId slot_of(KeyKind kind, std::string_view key) {
  const std::string_view name = name_of(kind);
  std::string text;
  text.reserve(name.size() + 1 + key.size());
  text.append(name).push_back('\0');
  text.append(key);
  return SlotId(static_cast<std::uint8_t>(stable_hash(text)));
}

}  // namespace gnomon::partition
