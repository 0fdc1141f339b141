#include "registry/attachment_records.h"

#include <algorithm>

#include "registry/change.h"
#include "registry/tables.h"

namespace gnomon::registry {

namespace {

records::Key attachment_key(const Target& target) { return key(Table::attachment, target.text()); }

}  // namespace

stored::Attachment load_attachment(records::Transaction& records, const Target& target) {
  return load<stored::Attachment>(records, attachment_key(target)).value_or(stored::Attachment{});
}

void save_attachment(records::Transaction& records, const Target& target,
                     const stored::Attachment& attachment) {
  if (attachment.empty()) {
    records.erase(attachment_key(target));
  } else {
    save(records, attachment_key(target), attachment);
  }
}

void detach_all(records::Transaction& records, const Target& target) {
  stored::Attachment attachment = load_attachment(records, target);
  for (const std::string& policy : attachment.policies)
    records.erase(key(Table::policy_target, policy, target.text()));
  attachment.policies.clear();
  save_attachment(records, target, attachment);
}

bool has_policies(records::Transaction& records, const stored::Group& group) {
  const auto has = [&](const std::string& id) {
    return !load_attachment(records, {Target::Kind::group, id}).policies.empty();
  };
  return has(group.id) || std::ranges::any_of(group.ancestors, has, &stored::GroupRef::id);
}

}  // namespace gnomon::registry
