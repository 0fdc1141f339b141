#include "identity/first_start.h"

#include "registry/attachments.h"
#include "registry/folder.h"
#include "registry/policies.h"

namespace gnomon::identity {

using registry::Nothing;
using registry::Registry;
using registry::Reply;

namespace {

constexpr const char* marker = "policies";
constexpr const char* allow_all =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

Reply<Nothing> make(Registry& registry, const char* name, const char* target) {
  const auto created = registry::create_policy(registry, {name, allow_all, {}});
  if (!created && created.error().kind != registry::Kind::resource_already_exists)
    return created.error();
  if (target == nullptr) return Nothing{};
  const auto attached = registry::attach_policy(registry, name, target);
  if (!attached) return attached.error();
  return Nothing{};
}

}  // namespace

Reply<Nothing> make_policies(Registry& registry) {
  const auto made = registry::was_made(registry, marker);
  if (!made) return made.error();
  if (*made) return Nothing{};
  for (const auto& [name, target] :
       {std::pair(local_policy, "gnomon:local"), std::pair(users_policy, "gnomon:users"),
        std::pair(devices_policy, static_cast<const char*>(nullptr))}) {
    if (auto done = make(registry, name, target); !done) return done;
  }
  const auto noted = registry::note_made(registry, marker);
  if (!noted) return noted.error();
  return Nothing{};
}

}  // namespace gnomon::identity
