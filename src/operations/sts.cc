// GetCallerIdentity, AssumeRole, GetSessionToken, GetAccessKeyInfo.
#include <boost/json.hpp>

#include "iam/sessions.h"
#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

json::Value credentials_value(const iam::Credentials& credentials) {
  return {{"AccessKeyId", credentials.access_key_id},
          {"SecretAccessKey", credentials.secret_access_key},
          {"SessionToken", credentials.session_token},
          {"Expiration", credentials.expiration.ms}};
}

// There are no multi-factor devices, so no code is right.
bool names_device(const json::Value& input) {
  return member(input, "SerialNumber") != nullptr || member(input, "TokenCode") != nullptr;
}
Outcome no_device(const Context& context) {
  return to_error(context, {iam::Kind::denied,
                            "MultiFactorAuthentication failed, must provide valid MFA serial "
                            "number and one time pass code."});
}

Outcome get_caller_identity(Context& context, const json::Value&, json::Value& output) {
  output = {{"UserId", context.caller.user_id},
            {"Account", context.caller.account},
            {"Arn", context.caller.arn}};
  return Done{};
}

Outcome assume_role(Context& context, const json::Value& input, json::Value& output) {
  if (names_device(input)) return no_device(context);
  for (const char* absent : {"PolicyArns", "ProvidedContexts"}) {
    if (member(input, absent) == nullptr) continue;
    return to_error(
        context, {iam::Kind::validation, std::string(absent) + " is not built into this server."});
  }
  iam::AssumeRole request;
  auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  request.role_arn = text(input, "RoleArn");
  request.session_name = text(input, "RoleSessionName");
  request.policy = text(input, "Policy");
  request.seconds = number(input, "DurationSeconds");
  request.external_id = text(input, "ExternalId");
  request.source_identity = text(input, "SourceIdentity");
  request.tags = *std::move(tags);
  request.transitive_keys = texts(input, "TransitiveTagKeys");
  request.keys = context.keys;
  return answer_read(
      context, iam::assume_role(context.world.iam, context.caller, request),
      [&](const iam::AssumedRole& assumed) {
        output = {{"Credentials", credentials_value(assumed.credentials)},
                  {"AssumedRoleUser", {{"AssumedRoleId", assumed.id}, {"Arn", assumed.arn}}}};
        if (assumed.packed_percent) set(output, "PackedPolicySize", *assumed.packed_percent);
        set(output, "SourceIdentity", or_null(assumed.source_identity));
      });
}

Outcome get_session_token(Context& context, const json::Value& input, json::Value& output) {
  if (names_device(input)) return no_device(context);
  return answer_read(
      context,
      iam::get_session_token(context.world.iam, context.caller, number(input, "DurationSeconds")),
      [&](const iam::Credentials& credentials) {
        output = {{"Credentials", credentials_value(credentials)}};
      });
}

// All keys that were ever given out here are of one account; as with AWS, whether there is such a
// key is not told.
Outcome get_access_key_info(Context& context, const json::Value& input, json::Value& output) {
  const std::string_view id = text(input, "AccessKeyId");
  const bool ours = id.starts_with("AKIA") || id.starts_with("ASIA") ||
                    id == context.world.iam.root.access_key_id;
  if (!ours) {
    return to_error(context, {iam::Kind::validation, "Invalid access key ID: " + std::string(id)});
  }
  output = {{"Account", context.world.iam.account}};
  return Done{};
}

constexpr Entry entries[] = {
    {"GetCallerIdentity", get_caller_identity},
    {"AssumeRole", assume_role},
    {"GetSessionToken", get_session_token},
    {"GetAccessKeyInfo", get_access_key_info},
};

}  // namespace

Entries sts() { return entries; }

}  // namespace gnomon::operations
