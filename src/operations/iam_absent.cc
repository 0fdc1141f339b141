// What clients read before they delete a user or a role, and what this server does not have:
// groups, multi-factor devices, SSH keys, signing certificates, passwords, instance profiles,
// aliases. The user or role must be there; the lists are empty.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

Outcome empty_list(json::Value& output, std::string_view items) {
  begin_list(output, items);
  set_marker(output, "");
  return Done{};
}

// The member that an operation lists.
std::string_view items_of(const Context& context) {
  for (const api::Member& member : context.operation.output->members)
    if (member.shape->type == api::Type::list) return member.name;
  return {};
}

Outcome list_of_account(Context& context, const json::Value&, json::Value& output) {
  return empty_list(output, items_of(context));
}

Outcome list_of(Context& context, const iam::Owner& owner, json::Value& output) {
  const auto entity = iam::get_entity(context.world.iam, owner);
  if (!entity) return to_error(context, entity.error());
  return empty_list(output, items_of(context));
}

Outcome list_of_user(Context& context, const json::Value& input, json::Value& output) {
  if (member(input, "UserName") == nullptr && context.caller.kind == iam::Caller::Kind::root)
    return empty_list(output, items_of(context));
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  return list_of(context, {iam::EntityKind::user, *user}, output);
}

Outcome list_of_role(Context& context, const json::Value& input, json::Value& output) {
  return list_of(context, owner_of(iam::EntityKind::role, input), output);
}

// Nobody has a password.
Outcome login_profile(Context& context, const json::Value& input, json::Value&) {
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  const auto entity = iam::get_entity(context.world.iam, {iam::EntityKind::user, *user});
  if (!entity) return to_error(context, entity.error());
  return to_error(context, {iam::Kind::no_such_entity,
                            "Login Profile for User " + *user + " cannot be found."});
}

constexpr Entry entries[] = {
    {"ListGroupsForUser", list_of_user},
    {"ListMFADevices", list_of_user},
    {"ListSSHPublicKeys", list_of_user},
    {"ListSigningCertificates", list_of_user},
    {"ListServiceSpecificCredentials", list_of_user},
    {"ListInstanceProfilesForRole", list_of_role},
    {"ListInstanceProfiles", list_of_account},
    {"ListVirtualMFADevices", list_of_account},
    {"ListAccountAliases", list_of_account},
    {"GetLoginProfile", login_profile},
    {"DeleteLoginProfile", login_profile},
};

}  // namespace

Entries iam_absent() { return entries; }

}  // namespace gnomon::operations
