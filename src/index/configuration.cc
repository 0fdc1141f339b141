#include "index/configuration.h"

#include <algorithm>

#include "index/tables.h"
#include "records/value.h"

namespace gnomon::index {

bool Configuration::indexes_shadow(std::string_view name) const {
  if (name.empty()) return shadow;
  return named_shadows && std::ranges::binary_search(shadow_names, name);
}

std::string configuration_key() { return std::string(key(Table::configuration).view()); }

Result<Configuration> load_configuration(const store::Store& store) {
  const auto stored = store.get(configuration_key());
  if (!stored) return stored.error();
  Configuration configuration;
  if (*stored && !records::read(**stored, configuration)) {
    return Error{Code::unavailable,
                 "the configuration of the fleet index cannot be read from the store; restore a "
                 "backup (gnomon restore)"};
  }
  return configuration;
}

std::string shadow_prefix(std::string_view name) {
  return name.empty() ? "shadow." : "shadow.name." + std::string(name) + '.';
}

}  // namespace gnomon::index
