#include "fleet/indexing.h"

#include <utility>

#include "base/limits.h"
#include "index/connectivity.h"
#include "index/tables.h"
#include "index/terms.h"
#include "registry/indexing.h"

namespace gnomon::fleet {

namespace {

using store::EraseRange;

void erase(store::Batch& batch, index::Range range) {
  batch.operations.emplace_back(EraseRange{std::move(range.begin), std::move(range.end)});
}

// The fields between `begin` and `end` that lie in no named shadow to be indexed.
void erase_named_shadows(store::Batch& batch, const index::Configuration& what) {
  index::Range all = index::postings_of_fields("shadow.name.");
  if (what.named_shadows) {
    for (const std::string& name : what.shadow_names) {  // sorted, but the dot may not be
      index::Range kept = index::postings_of_fields(index::shadow_prefix(name));
      if (kept.begin < all.begin) continue;
      erase(batch, {all.begin, kept.begin});
      all.begin = std::move(kept.end);
    }
  }
  erase(batch, std::move(all));
}

}  // namespace

Result<void> clear(store::Store& store, const index::Configuration& what) {
  store::Batch batch;
  if (!what.registry) {
    for (const char* field :
         {"thingName", "thingId", "thingTypeName", "thingGroupNames", "attributes."})
      erase(batch, index::postings_of_fields(field));
  }
  if (!what.shadow) {
    for (const char* field : {"shadow.desired.", "shadow.reported.", "shadow.hasDelta"})
      erase(batch, index::postings_of_fields(field));
  }
  erase_named_shadows(batch, what);
  if (!what.connectivity) {
    erase(batch, index::postings_of_fields("connectivity."));
    const records::Key all = index::key(index::Table::connectivity);
    erase(batch, {std::string(all.view()), all.behind()});
  }
  const auto applied = store.apply(batch);
  if (!applied) return applied.error();
  return {};
}

Result<std::string> index_things(registry::Registry& registry, const std::string& after) {
  auto names = registry::thing_names(registry.store, after, limits::index_slice);
  if (!names) return names.error();
  if (names->empty()) return std::string();
  const auto written = registry::index_things(registry, *names);
  if (!written) return Error{Code::unavailable, written.error().message};
  return std::move(names->back());
}

Result<void> disconnect_all(const registry::Registry& registry, store::Store& store, WallTime now) {
  const records::Key all = index::postings_of("connectivity.connected", index::text_value("true"));
  std::string begin(all.view());
  while (true) {
    std::vector<std::string> names;
    const auto scanned =
        store.scan(begin, all.behind(), [&](std::string_view key, std::string_view) {
          names.emplace_back(key.substr(all.view().size()));
          return names.size() < limits::connectivity_slice;
        });
    if (!scanned) return scanned.error();
    if (names.empty()) return {};
    begin = std::string(all.view()) + names.back() + '\0';
    store::Batch batch;
    for (const std::string& name : names) {
      const auto there = registry::has_thing(registry.store, name);
      if (!there) return there.error();
      if (*there) {
        index::write_connectivity(name, {false, now, "SERVER_ERROR"}, batch.operations);
      } else {
        for (std::string& key : index::keys_of_connectivity(name))
          batch.operations.emplace_back(store::Erase{std::move(key)});
      }
    }
    if (const auto applied = store.apply(batch); !applied) return applied.error();
  }
}

Result<std::vector<std::string>> unregistered(const store::Store& store,
                                              const std::vector<std::string>& client_ids) {
  std::vector<std::string> unknown;
  for (const std::string& client_id : client_ids) {
    const auto there = registry::has_thing(store, client_id);
    if (!there) return there.error();
    if (!*there) unknown.push_back(client_id);
  }
  return unknown;
}

}  // namespace gnomon::fleet
