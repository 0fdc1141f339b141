// For tests: takes everything out of a registry again by its own operations. What is left then is
// an entry that somebody forgot.
#pragma once

#include <string>
#include <vector>

#include "registry/attachments.h"
#include "registry/billing_groups.h"
#include "registry/certificates.h"
#include "registry/memberships.h"
#include "registry/principals.h"
#include "registry/registry_fixture.h"
#include "registry/thing_types.h"

namespace gnomon::registry {

// The items of all pages, which `list(PageRequest)` returns, a few at a time.
template <class F>
auto collect(F&& list, int limit = 2) {
  decltype(list(PageRequest{})->items) all;
  PageRequest request{limit, ""};
  do {
    auto page = list(request);
    REQUIRE_MESSAGE(page, page.error().message);
    all.insert(all.end(), page->items.begin(), page->items.end());
    request.token = page->next_token;
  } while (!request.token.empty());
  return all;
}

inline void sweep_things(Registry& registry) {
  for (const auto& thing : collect([&](const PageRequest& page) {
         return list_things(registry, {"", {}, false, "", page});
       })) {
    const std::string& name = thing.thing_name;
    for (const auto& object : collect([&](const PageRequest& page) {
           return list_thing_principals(registry, name, {}, page);
         })) {
      CHECK(detach_thing_principal(registry, name, object.principal));
    }
    CHECK(delete_thing(registry, name));
  }
}

inline void sweep_policies(Registry& registry) {
  for (const auto& policy :
       collect([&](const PageRequest& page) { return list_policies(registry, true, page); })) {
    const std::string& name = policy.policy_name;
    for (const std::string& target : collect([&](const PageRequest& page) {
           return list_targets_for_policy(registry, name, false, page);
         })) {
      CHECK(detach_policy(registry, name, target));
    }
    const auto versions = list_policy_versions(registry, name);
    REQUIRE(versions);
    for (const auto& version : *versions)
      if (!version.is_default_version)
        CHECK(delete_policy_version(registry, name, version.version));
    CHECK(delete_policy(registry, name));
  }
}

inline void sweep_groups(Registry& registry) {
  const auto list = [&] {
    return collect([&](const PageRequest& page) {
      return list_thing_groups(registry, {"", "", {}, page});
    });
  };
  // Each round those without children, so seven at most.
  for (auto groups = list(); !groups.empty(); groups = list())
    for (const auto& group : groups) (void)delete_thing_group(registry, group.group_name);
  for (const auto& group :
       collect([&](const PageRequest& page) { return list_billing_groups(registry, "", page); }))
    CHECK(delete_billing_group(registry, group.group_name));
}

inline void sweep_types(Registry& registry, ManualWallClock& clock) {
  const auto types =
      collect([&](const PageRequest& page) { return list_thing_types(registry, "", page); });
  for (const auto& type : types) CHECK(deprecate_thing_type(registry, type.thing_type_name, false));
  clock.advance(std::chrono::minutes(5));
  for (const auto& type : types) CHECK(delete_thing_type(registry, type.thing_type_name));
}

inline void sweep_certificates(Registry& registry) {
  for (const auto& entry :
       collect([&](const PageRequest& page) { return list_certificates(registry, false, page); })) {
    CHECK(update_certificate(registry, entry.certificate_id, CertificateStatus::inactive));
    CHECK(delete_certificate(registry, entry.certificate_id, true));
  }
}

inline void sweep(Fixture& fixture) {
  sweep_things(fixture.registry);
  sweep_policies(fixture.registry);
  sweep_groups(fixture.registry);
  sweep_certificates(fixture.registry);
  sweep_types(fixture.registry, fixture.clock);
  CHECK(fixture.content().empty());
}

}  // namespace gnomon::registry
