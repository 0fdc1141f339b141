#include "records/value.h"
#include "shadow/document.h"
#include "shadow/records.h"
#include "shadow/service.h"

namespace gnomon::shadow {

namespace {

Error damaged(const Address& address) {
  return {Code::unavailable, "the shadow '" + address.name + "' of thing '" + address.thing +
                                 "' cannot be read from the store; restore a backup (gnomon "
                                 "restore)"};
}

}  // namespace

Result<Addresses> list_addresses(const store::Store& store, const std::string& after,
                                 std::size_t most) {
  const auto table = static_cast<std::uint8_t>(Table::document);
  const std::string begin =
      after.empty() ? std::string(records::Key(table).view().substr(0, 1)) : after + '\0';
  const std::string end(1, static_cast<char>(table + 1));
  Addresses found;
  std::optional<Error> failure;
  std::size_t seen = 0;
  const auto scanned = store.scan(begin, end, [&](std::string_view at, std::string_view value) {
    records::KeyReader parts(records::parts_of(at));
    Address address;
    address.thing = parts.text();
    address.name = parts.rest();
    Document document;
    if (!records::read(value, document)) {
      failure = damaged(address);
      return false;
    }
    if (document.exists()) found.addresses.push_back(std::move(address));
    if (++seen < most) return true;
    found.last = at;
    return false;
  });
  if (!scanned) return scanned.error();
  if (failure) return *failure;
  return found;
}

Result<std::optional<Document>> read_document(const store::Store& store, const Address& address) {
  const auto stored = store.get(document_key(address));
  if (!stored) return stored.error();
  if (!*stored) return std::optional<Document>();
  Document document;
  if (!records::read(**stored, document)) return damaged(address);
  if (!document.exists()) return std::optional<Document>();
  return std::optional(std::move(document));
}

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
