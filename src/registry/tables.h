// What the registry keeps in the store: its tables and their keys. Their values are in stored.h.
// All lie in slot 0, so that a table is in the order of its names
// (docs/decisions/0021-registry.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "records/key.h"
#include "records/tables.h"

namespace gnomon::registry {

enum class Table : std::uint8_t {
  setting = 32,                   // name → EventSettings; RegistrationCode; Stamp; "made/…"
  thing = 33,                     // thing → Thing
  thing_by_type = 34,             // type, thing
  thing_by_attribute = 35,        // attribute, value, thing → its type, as it is
  membership = 36,                // thing → Memberships
  thing_type = 37,                // type → ThingType
  group = 38,                     // group → Group
  group_child = 39,               // id of the parent (of roots: 16 zero bytes), group
  group_member = 40,              // id of the group, thing
  billing_group = 41,             // billing group → BillingGroup
  billing_member = 42,            // id of the billing group, thing
  thing_principal = 43,           // thing, principal → Link
  principal_thing = 44,           // principal, thing → Link
  attachment = 45,                // target → Attachment
  certificate = 46,               // id → Certificate
  certificate_by_age = 47,        // creation, id
  certificate_by_authority = 48,  // id of the CA, creation, id
  authority = 49,                 // id → Authority
  authority_by_age = 50,          // creation, id
  authority_by_subject = 51,      // SHA-256 of the subject's DER, id
  policy = 52,                    // policy → Policy
  policy_version = 53,            // policy, number → PolicyVersion
  policy_target = 54,             // policy, target → PolicyTarget
  tags = 55,                      // resource ("policy/dev") → Tags
  tables
};
static_assert(static_cast<int>(Table::tables) <= static_cast<int>(records::Owner::iam));

[[nodiscard]] inline records::Key key(Table table) {
  return records::Key(static_cast<std::uint8_t>(table));
}
[[nodiscard]] inline records::Key key(Table table, std::string_view name) {
  return key(table).last(name);
}
// A table that lists `second` for `first`.
[[nodiscard]] inline records::Key key(Table table, std::string_view first,
                                      std::string_view second) {
  return key(table).text(first).last(second);
}
// Of a table that begins with an id of 16 bytes.
[[nodiscard]] inline records::Key id_key(Table table, std::string_view id, std::string_view name) {
  return key(table).last(id).last(name);
}
[[nodiscard]] inline records::Key age_key(Table table, WallTime created, std::string_view id) {
  return key(table).number(static_cast<std::uint64_t>(created.ms)).last(id);
}

}  // namespace gnomon::registry
