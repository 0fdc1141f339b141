// Question: a query of somebody's, made ready to be answered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "index/configuration.h"
#include "index/plan.h"
#include "index/query.h"
#include "registry/indexing.h"

namespace gnomon::fleet {

inline constexpr std::string_view things_index = "AWS_Things", groups_index = "AWS_ThingGroups";

struct Dynamic {
  registry::DynamicGroup group;
  index::Query query;
};

struct Question {
  index::Configuration what;  // is indexed
  index::Query query;
  std::vector<Dynamic> dynamic;  // all dynamic groups, the oldest first
};

// Makes a query about things ready: what it says of dynamic groups is what their queries say.
// Errors: resource_not_found (nothing is indexed); index_not_ready (it is being built);
// invalid_query (no such query, a field that there is not or that is not indexed).
registry::Reply<Question> ask_things(const registry::Registry& registry, std::string_view query);
// The same about thing groups; without dynamic ones.
registry::Reply<Question> ask_groups(const registry::Registry& registry, std::string_view query);

// The same of a query that is to be kept, for a dynamic group. Errors: the same.
registry::Reply<registry::Nothing> check_query(const registry::Registry& registry,
                                               std::string_view query);

// A field that a value of a thing can lie in, and that is indexed. Errors: invalid_query.
registry::Reply<registry::Nothing> check_field(const index::Configuration& what,
                                               std::string_view field);

[[nodiscard]] index::Plan plan_of(const registry::Registry& registry, const Question& question);

}  // namespace gnomon::fleet
