#include "identity/first_start.h"

#include "registry/folder.h"
#include "registry/steps.h"

namespace gnomon::identity {

using registry::Nothing;
using registry::Registry;
using registry::Reply;

namespace {

constexpr const char* marker = "policies";
constexpr const char* allow_all =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

Reply<Nothing> make(registry::Change& change, const char* name, const char* target) {
  if (!registry::has_policy(change, name)) {
    if (const auto created = registry::create_policy(change, {name, allow_all, {}}); !created)
      return created.error();
  }
  return target == nullptr ? Reply<Nothing>(Nothing{})
                           : registry::attach_policy(change, name, target);
}

}  // namespace

Reply<Nothing> make_policies(Registry& registry) {
  const auto made = registry::was_made(registry, marker);
  if (!made) return made.error();
  if (*made) return Nothing{};
  const auto done = registry::change(registry, [](registry::Change& change) -> Reply<Nothing> {
    change.records.always();  // that the disk is full is told by /readyz
    for (const auto& [name, target] :
         {std::pair(local_policy, "gnomon:local"), std::pair(users_policy, "gnomon:users"),
          std::pair(devices_policy, static_cast<const char*>(nullptr))}) {
      if (auto one = make(change, name, target); !one) return one;
    }
    registry::note_made(change, marker);
    return Nothing{};
  });
  if (!done) return done.error();
  return Nothing{};
}

}  // namespace gnomon::identity
