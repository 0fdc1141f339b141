// Service: who carries requests out, wherever the shadow lies; and what is read of shadows beside.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "shadow/partition.h"
#include "store/store.h"

namespace gnomon::shadow {

// Threads: any.
class Service {
 public:
  virtual ~Service() = default;
  // `request.then` is called once, on any thread, also before this returns.
  virtual void ask(Request request) = 0;
};

// The shadows of all things that are not deleted, in the order of their keys, from behind the key
// `after`; "": from the first. Looks at `most` of them.
struct Addresses {
  std::vector<Address> addresses;
  std::string last;  // the key of the last one; empty: there are no more
};
// Errors: the store's; unavailable (a record is damaged).
Result<Addresses> list_addresses(const store::Store& store, const std::string& after,
                                 std::size_t most);
// A shadow as it is applied; nullopt: there is none. Errors: the same.
Result<std::optional<Document>> read_document(const store::Store& store, const Address& address);

// Names of a thing's shadows behind `after`, in the order of their bytes; without the classic one
// and those that are deleted. At most `most`; `more`: there are others behind them.
struct Names {
  std::vector<std::string> names;
  bool more = false;
};
// Errors: the store's.
Result<Names> list_names(const store::Store& store, const std::string& thing,
                         std::string_view after, std::size_t most);

}  // namespace gnomon::shadow
