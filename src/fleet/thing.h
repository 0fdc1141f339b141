// Thing: what is known of a thing, from wherever it is kept: registry, shadows, connectivity.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "index/configuration.h"
#include "index/connectivity.h"
#include "index/query.h"
#include "registry/indexing.h"
#include "shadow/document.h"

namespace gnomon::fleet {

// Things: reads things, one after the other. Not thread-safe.
class Things {
 public:
  // `what` is indexed: nothing else of a thing is read. Borrowed.
  Things(const registry::Registry& registry, const index::Configuration& what)
      : registry_(registry), what_(what), things_(registry) {}

  class Thing;
  // The thing of that name; null: it is not registered. Errors: the store's.
  registry::Reply<std::unique_ptr<Thing>> find(const std::string& name);

 private:
  const registry::Registry& registry_;
  const index::Configuration& what_;
  registry::IndexedThings things_;
};

// Things::Thing: what is in the registry is at hand, the rest is read when it is asked for: a read
// that fails is kept in failure(), and whatever was made of the thing then is worth nothing.
// Fields: README.md.
class Things::Thing final : public index::Subject {
 public:
  Thing(const Things& of, std::string name, registry::IndexedThing registered)
      : of_(of), name_(std::move(name)), registered_(std::move(registered)) {}

  void each(std::string_view field, const Visit& visit) const override;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const registry::IndexedThing& registered() const { return registered_; }
  // Null: it is not indexed, or there is none. "": the classic one.
  const shadow::Document* shadow(const std::string& shadow_name) const;
  // nullopt: it is not indexed. Not connected: without a record, too.
  std::optional<index::Connectivity> connectivity() const;
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  void each_of_registry(std::string_view field, const Visit& visit) const;
  void each_of_shadows(std::string_view field, const Visit& visit) const;
  void each_of_connectivity(std::string_view field, const Visit& visit) const;

  const Things& of_;
  const std::string name_;
  const registry::IndexedThing registered_;
  // Read so far.
  mutable std::map<std::string, std::optional<shadow::Document>> shadows_;
  mutable std::optional<std::optional<index::Connectivity>> connectivity_;
  mutable std::optional<Error> failure_;
};
using Thing = Things::Thing;

}  // namespace gnomon::fleet
