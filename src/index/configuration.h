// What is indexed: UpdateIndexingConfiguration (AWS IoT: "Managing fleet indexing").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace gnomon::index {

struct CustomField {
  std::string name, type;  // type: "Number", "String", "Boolean"
  bool operator==(const CustomField&) const = default;
  static void fields(auto& field, auto& archive) { archive(field.name, field.type); }
};

// Configuration: of the account. A value. Nothing is indexed at first, as in AWS.
struct Configuration {
  bool registry = false;
  bool shadow = false;                    // classic shadows; with registry only
  bool named_shadows = false;             // those below; with registry only
  std::vector<std::string> shadow_names;  // sorted; at most limits::indexed_shadow_names_max
  bool connectivity = false;              // with registry only
  bool groups = false;                    // the index AWS_ThingGroups
  std::vector<CustomField> thing_fields, group_fields;
  // What has been switched on and is not indexed whole yet, and what was switched off and is not
  // out of the index yet. A server that ends in between goes on with it.
  bool building = false, clearing = false;

  [[nodiscard]] bool indexes_shadow(std::string_view name) const;  // "": the classic one
  bool operator==(const Configuration&) const = default;
  static void fields(auto& r, auto& archive) {
    archive(r.registry, r.shadow, r.named_shadows, r.shadow_names, r.connectivity, r.groups,
            r.thing_fields, r.group_fields, r.building, r.clearing);
  }
};

[[nodiscard]] std::string configuration_key();
// As stored; the first one if there is none. Errors: the store's; unavailable (it is damaged).
Result<Configuration> load_configuration(const store::Store& store);

// The fields of a shadow: "shadow." of the classic one, "shadow.name.NAME." of a named one.
[[nodiscard]] std::string shadow_prefix(std::string_view name);

}  // namespace gnomon::index
