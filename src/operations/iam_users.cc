// CreateUser, GetUser, UpdateUser, DeleteUser, ListUsers; access keys.
#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iam_answer.h"
#include "operations/request_keys.h"
#include "operations/resource_keys.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using iam::EntityKind;

Outcome create_user(Context& context, const json::Value& input, json::Value& output) {
  auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  return answer_written(
      context,
      iam::create_user(context.world.iam, {.name = text_copy(input, "UserName"),
                                           .path = maybe_text(input, "Path").value_or("/"),
                                           .tags = *std::move(tags),
                                           .boundary = text_copy(input, "PermissionsBoundary")}),
      [&](const iam::Entity& user) {
        output = {{"User", entity_value(context, EntityKind::user, user, Detail::whole)}};
      });
}

// Without a name: who calls. The root is no user, and has no date.
Outcome get_user(Context& context, const json::Value& input, json::Value& output) {
  if (member(input, "UserName") == nullptr && context.caller.kind == iam::Caller::Kind::root) {
    output = {{"User",
               {{"Path", "/"},
                {"UserName", "root"},
                {"UserId", context.caller.user_id},
                {"Arn", context.caller.arn}}}};
    return Done{};
  }
  const auto name = user_or_caller(context, input);
  if (!name) return name.error();
  return answer_read(
      context, iam::get_entity(context.world.iam, {EntityKind::user, *name}),
      [&](const iam::Entity& user) {
        output = {{"User", entity_value(context, EntityKind::user, user, Detail::whole)}};
      });
}

// Whether the caller may make a user, who has these tags, the one of `arn`. Nothing: they may.
std::optional<api::ApiError> check_new_name(const Context& context, const iam::Tags& tags,
                                            const std::string& arn) {
  RequestKeys of_user;
  of_user.add(keys_of_iam_tags(tags));
  std::vector<policy::KeyValues> keys(context.keys.begin(), context.keys.end());
  std::ranges::copy(of_user.view(), std::back_inserter(keys));
  const policy::Request request{.action = "iam:UpdateUser",
                                .resource = arn,
                                .keys = keys,
                                .now = context.now,
                                .principal = {}};
  if (iam::authorise(context.caller, request) == policy::Verdict::allowed) return std::nullopt;
  return to_error(context, {iam::Kind::denied, "User: " + context.caller.arn +
                                                   " is not authorized to perform: "
                                                   "iam:UpdateUser on resource: " +
                                                   arn});
}

// The front door has asked whether the caller may change this user; whether they may make it that
// other one is asked here, since it takes the user's path.
Outcome update_user(Context& context, const json::Value& input, json::Value&) {
  const iam::Owner owner = owner_of(EntityKind::user, input);
  auto changed = iam::get_entity(context.world.iam, owner);
  if (!changed) return to_error(context, changed.error());
  const std::string arn = iam::arn(context.world.iam, EntityKind::user, *changed);
  const auto new_name = maybe_text(input, "NewUserName");
  const auto new_path = maybe_text(input, "NewPath");
  changed->name = new_name.value_or(changed->name);
  changed->path = new_path.value_or(changed->path);
  const std::string new_arn = iam::arn(context.world.iam, EntityKind::user, *changed);
  if (new_arn != arn) {
    if (auto error = check_new_name(context, changed->tags, new_arn)) return *std::move(error);
  }
  return answer_written(context,
                        iam::update_user(context.world.iam, owner.name, new_name, new_path));
}

Outcome delete_user(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::delete_entity(context.world.iam, owner_of(EntityKind::user, input)));
}

Outcome list_users(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      context,
      iam::list_entities(context.world.iam, EntityKind::user,
                         maybe_text(input, "PathPrefix").value_or("/"), iam_page_of(input)),
      output, "Users", [&](const iam::Entity& user) {
        return entity_value(context, EntityKind::user, user, Detail::listed);
      });
}

// ---- access keys

bj::object key_value(const iam::AccessKey& key, std::string_view user) {
  return {{"UserName", user},
          {"AccessKeyId", key.id},
          {"Status", key.active ? "Active" : "Inactive"},
          {"CreateDate", key.created.ms}};
}

Outcome create_access_key(Context& context, const json::Value& input, json::Value& output) {
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  return answer_written(context, iam::create_access_key(context.world.iam, *user),
                        [&](const iam::NewAccessKey& made) {
                          bj::object value = key_value(made.key, *user);
                          value["SecretAccessKey"] = made.secret;
                          output = {{"AccessKey", std::move(value)}};
                        });
}

Outcome update_access_key(Context& context, const json::Value& input, json::Value&) {
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  const std::string_view status = text(input, "Status");
  if (status != "Active" && status != "Inactive") {
    return to_error(context, {iam::Kind::invalid_input,
                              "Access keys do not expire here: Status is Active or Inactive."});
  }
  return answer_written(
      context, iam::update_access_key(context.world.iam, *user, text_copy(input, "AccessKeyId"),
                                      status == "Active"));
}

Outcome delete_access_key(Context& context, const json::Value& input, json::Value&) {
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  return answer_written(
      context, iam::delete_access_key(context.world.iam, *user, text_copy(input, "AccessKeyId")));
}

Outcome list_access_keys(Context& context, const json::Value& input, json::Value& output) {
  const auto user = user_or_caller(context, input);
  if (!user) return user.error();
  const auto keys = iam::list_access_keys(context.world.iam, *user);
  if (!keys) return to_error(context, keys.error());
  return answer_page(context,
                     iam::cut(*keys, iam_page_of(input), [](const auto& key) { return key.id; }),
                     output, "AccessKeyMetadata",
                     [&](const iam::AccessKey& key) { return bj::value(key_value(key, *user)); });
}

// When a key was used is not recorded, which is what AWS says of one that never was.
Outcome get_access_key_last_used(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      context, iam::user_of_access_key(context.world.iam, text_copy(input, "AccessKeyId")),
      [&](const std::string& user) {
        output = {{"UserName", user},
                  {"AccessKeyLastUsed", {{"ServiceName", "N/A"}, {"Region", "N/A"}}}};
      });
}

constexpr Entry entries[] = {
    {"CreateUser", create_user},
    {"GetUser", get_user},
    {"UpdateUser", update_user},
    {"DeleteUser", delete_user},
    {"ListUsers", list_users},
    {"CreateAccessKey", create_access_key},
    {"UpdateAccessKey", update_access_key},
    {"DeleteAccessKey", delete_access_key},
    {"ListAccessKeys", list_access_keys},
    {"GetAccessKeyLastUsed", get_access_key_last_used},
};

}  // namespace

Entries iam_users() { return entries; }

}  // namespace gnomon::operations
