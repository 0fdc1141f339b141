// What the provisioning keeps in the store. All lies in slot 0, as the registry's. Internal to the
// module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "records/key.h"
#include "records/tables.h"
#include "registry/tag_records.h"

namespace gnomon::provisioning {

enum class Table : std::uint8_t {
  provisioning_template = registry::template_table,  // template → Template
  role_alias = registry::role_alias_table,           // alias → RoleAlias
  template_version = 98,                             // template, number → TemplateVersion
  waiting = 99,                                      // until when, certificate id → Waiting
  waiting_count = 100,                               // → WaitingCount
  tables
};
static_assert(static_cast<int>(Table::tables) <= static_cast<int>(records::Owner::shadow));

[[nodiscard]] inline records::Key key(Table table) {
  return records::Key(static_cast<std::uint8_t>(table));
}
[[nodiscard]] inline records::Key key(Table table, std::string_view name) {
  return key(table).last(name);
}

enum class TemplateType : std::uint8_t { fleet_provisioning, jitp };

namespace stored {

struct Template {
  TemplateType type{};
  bool enabled = false;
  std::string description, role_arn;
  std::string hook_target, hook_version;  // empty: none
  std::uint64_t default_version = 1;
  std::uint64_t next_version = 2;  // a number is never used twice
  std::uint64_t versions = 1;      // how many there are
  WallTime created, modified;
  static void fields(auto& r, auto& archive) {
    archive(r.type, r.enabled, r.description, r.role_arn, r.hook_target, r.hook_version,
            r.default_version, r.next_version, r.versions, r.created, r.modified);
  }
};
struct TemplateVersion {
  std::string body;
  WallTime created;
  static void fields(auto& r, auto& archive) { archive(r.body, r.created); }
};

// A certificate that lasts only so long, unless a device is provisioned with it.
struct Waiting {
  bool claim = false;  // it is no device's own: nobody is provisioned with it
  static void fields(auto& r, auto& archive) { archive(r.claim); }
};
struct WaitingCount {
  std::uint64_t certificates = 0;
  static void fields(auto& r, auto& archive) { archive(r.certificates); }
};

struct RoleAlias {
  std::string role_arn;
  std::uint64_t duration_seconds = 0;
  WallTime created, modified;
  static void fields(auto& r, auto& archive) {
    archive(r.role_arn, r.duration_seconds, r.created, r.modified);
  }
};

}  // namespace stored

[[nodiscard]] inline records::Key version_key(std::string_view name, std::uint64_t version) {
  return key(Table::template_version).text(name).number(version);
}
// In the order in which they are due.
[[nodiscard]] inline records::Key waiting_key(WallTime until, std::string_view certificate_id) {
  return key(Table::waiting).number(static_cast<std::uint64_t>(until.ms)).last(certificate_id);
}

}  // namespace gnomon::provisioning
