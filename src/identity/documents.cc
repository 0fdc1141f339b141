#include "identity/documents.h"

#include <utility>

#include "base/limits.h"

namespace gnomon::identity {

Result<Documents::Ptr> Documents::read(const std::string& text) {
  const auto known = read_.with([&](const Map& map) {
    const auto at = map.find(text);
    return at == map.end() ? nullptr : at->second;
  });
  if (known) return known;
  auto document = policy::parse(text, policy::Dialect::iot);
  if (!document) return document.error();
  auto made = std::make_shared<const policy::Document>(std::move(*document));
  if (text.size() > limits::document_remembered_bytes_max) return made;
  Map freed;  // outside of the lock
  read_.with([&](Map& map) {
    if (map.size() >= limits::documents_remembered_max) map.swap(freed);
    map.emplace(text, made);
  });
  return made;
}

}  // namespace gnomon::identity
