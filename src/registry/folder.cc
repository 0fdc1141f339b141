#include "registry/folder.h"

#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

namespace {

records::Key made_key(std::string_view what) {
  return key(Table::setting, std::string("made/").append(what));
}

}  // namespace

Result<void> stamp(store::Store& store, std::string_view account, std::string_view region) {
  const auto done = records::run(store, [&](records::Transaction& records) -> Result<bool> {
    records
        .always();  // a disk that is full is told by /readyz, not by a server that does not start
    const records::Key place = key(Table::setting, "stamp");
    const auto before = load<stored::Stamp>(records, place);
    if (!before) {
      save(records, place, stored::Stamp{std::string(account), std::string(region)});
      return true;
    }
    if (before->account == account && before->region == region) return false;
    return Error{Code::conflict, "the data folder belongs to account " + before->account +
                                     " and region " + before->region +
                                     "; set account and region so, or name another folder"};
  });
  if (!done) return done.error();
  return {};
}

Reply<bool> was_made(const Registry& registry, std::string_view what) {
  return records::read(registry.store, [&](records::Transaction& records) -> Reply<bool> {
    return !records.absent(made_key(what));
  });
}

bool was_made(Change& change, std::string_view what) {
  return !change.records.absent(made_key(what));
}

void note_made(Change& change, std::string_view what) { change.records.put(made_key(what), ""); }

}  // namespace gnomon::registry
