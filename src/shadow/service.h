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
