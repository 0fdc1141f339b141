#include "shadow/history.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "records/value.h"
#include "shadow/document.h"

namespace gnomon::shadow {

namespace {

Error damaged(const Address& address) {
  return {Code::unavailable,
          "the history of the shadow '" + name_of(address) + "' of thing '" + address.thing +
              "' cannot be read from the store; restore a backup (gnomon restore)"};
}

}  // namespace

Result<std::vector<Entry>> history(const store::Store& store, const Address& address) {
  const auto stored = store.get(document_key(address));
  if (!stored) return stored.error();
  std::vector<Entry> entries;
  if (!*stored) return entries;
  Document document;
  if (!records::read(**stored, document)) return damaged(address);
  const records::Key all = history_prefix(address);
  bool whole = true;
  const auto scanned =
      store.scan(all.view(), all.behind(), [&](std::string_view, std::string_view value) {
        Entry entry;
        whole = records::read(value, entry);
        // A version behind the document's was written since it was read.
        if (whole && entry.version <= document.version) entries.push_back(std::move(entry));
        return whole;
      });
  if (!scanned) return scanned.error();
  if (!whole) return damaged(address);
  std::ranges::sort(entries, std::ranges::greater(), &Entry::version);
  return entries;
}

}  // namespace gnomon::shadow
