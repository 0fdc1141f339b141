#include "records/value.h"
#include "shadow/document.h"
#include "shadow/records.h"
#include "shadow/service.h"

namespace gnomon::shadow {

Result<Names> list_names(const store::Store& store, const std::string& thing,
                         std::string_view after, std::size_t most) {
  const records::Key all = key(Table::document, thing);
  const std::size_t prefix = all.view().size();
  // Behind `after`, and behind the classic shadow, whose name is empty.
  const std::string begin = std::string(all.view()) + std::string(after) + '\0';
  Names found;
  std::optional<Error> damaged;
  const auto scanned =
      store.scan(begin, all.behind(), [&](std::string_view at, std::string_view value) {
        Document document;
        if (!records::read(value, document)) {
          damaged = Error{Code::unavailable,
                          "a shadow of thing '" + thing + "' cannot be read from the store"};
          return false;
        }
        if (document.deleted) return true;
        if (found.names.size() == most) {
          found.more = true;
          return false;
        }
        found.names.emplace_back(at.substr(prefix));
        return true;
      });
  if (!scanned) return scanned.error();
  if (damaged) return *damaged;
  return found;
}

}  // namespace gnomon::shadow
