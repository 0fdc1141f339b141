// The map of what is built: one file for each group of operations. Internal to the module.
#pragma once

#include <span>
#include <string_view>

#include "operations/handler.h"

namespace gnomon::operations {

struct Entry {
  std::string_view operation;  // "CreateThing"
  Handler handler;
};
using Entries = std::span<const Entry>;

// Each in the file of its name.
Entries iot_things();
Entries iot_thing_types();
Entries iot_thing_groups();
Entries iot_billing_groups();
Entries iot_principals();
Entries iot_certificates();
Entries iot_authorities();
Entries iot_policies();
Entries iot_attachments();
Entries iot_authorization();
Entries iot_provisioning();
Entries iot_role_aliases();
Entries iot_tags();
Entries iot_account();
Entries iot_indexing();
Entries iot_indices();
Entries iot_dynamic_groups();
Entries iot_data_publish();
Entries iot_data_shadows();
Entries iot_data_connections();
Entries iam_users();
Entries iam_roles();
Entries iam_entities();
Entries iam_absent();
Entries iam_policies();
Entries iam_attachments();
Entries sts();
Entries gnomon_policy();
Entries gnomon_shadows();

}  // namespace gnomon::operations
