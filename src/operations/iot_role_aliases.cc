// CreateRoleAlias, DescribeRoleAlias, UpdateRoleAlias, DeleteRoleAlias, ListRoleAliases.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "provisioning/role_aliases.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

std::optional<std::chrono::seconds> duration_of(const json::Value& input) {
  const auto seconds = number(input, "credentialDurationSeconds");
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

void tell(const provisioning::NamedRoleAlias& alias, json::Value& output) {
  output = {{"roleAlias", alias.role_alias}, {"roleAliasArn", alias.role_alias_arn}};
}

Outcome create_role_alias(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  provisioning::CreateRoleAlias request{.role_alias = text_copy(input, "roleAlias"),
                                        .role_arn = text_copy(input, "roleArn"),
                                        .tags = *std::move(tags)};
  request.duration = duration_of(input).value_or(request.duration);
  return answer_written(provisioning::create_role_alias(context.world.provisioning, request),
                        [&](const provisioning::NamedRoleAlias& made) { tell(made, output); });
}

Outcome describe_role_alias(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      provisioning::describe_role_alias(context.world.provisioning, text(input, "roleAlias")),
      [&](const provisioning::RoleAliasDescription& found) {
        bj::object description{{"roleAlias", found.role_alias},
                               {"roleAliasArn", found.role_alias_arn},
                               {"roleArn", found.role_arn},
                               {"owner", found.owner},
                               {"credentialDurationSeconds", found.duration.count()},
                               {"creationDate", found.creation_date.ms},
                               {"lastModifiedDate", found.last_modified_date.ms}};
        output = {{"roleAliasDescription", std::move(description)}};
      });
}

Outcome update_role_alias(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      provisioning::update_role_alias(context.world.provisioning,
                                      {.role_alias = text_copy(input, "roleAlias"),
                                       .role_arn = maybe_text(input, "roleArn"),
                                       .duration = duration_of(input)}),
      [&](const provisioning::NamedRoleAlias& alias) { tell(alias, output); });
}

Outcome delete_role_alias(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      provisioning::delete_role_alias(context.world.provisioning, text_copy(input, "roleAlias")));
}

Outcome list_role_aliases(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(provisioning::list_role_aliases(context.world.provisioning,
                                                     flag(input, "ascendingOrder").value_or(false),
                                                     page_of(input, by_marker)),
                     output, "roleAliases", by_marker);
}

constexpr Entry entries[] = {
    {"CreateRoleAlias", create_role_alias}, {"DescribeRoleAlias", describe_role_alias},
    {"UpdateRoleAlias", update_role_alias}, {"DeleteRoleAlias", delete_role_alias},
    {"ListRoleAliases", list_role_aliases},
};

}  // namespace

Entries iot_role_aliases() { return entries; }

}  // namespace gnomon::operations
