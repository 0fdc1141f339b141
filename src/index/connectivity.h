// Connectivity: whether the client with a thing's name is connected, in the store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"

namespace gnomon::index {

// A value. Without a record a thing has not been connected since this was indexed.
struct Connectivity {
  bool connected = false;
  WallTime at;         // of the last change
  std::string reason;  // of the end, as AWS IoT's events name it: "CONNECTION_LOST"; else empty
  bool operator==(const Connectivity&) const = default;
  static void fields(auto& r, auto& archive) { archive(r.connected, r.at, r.reason); }
};

[[nodiscard]] std::string connectivity_key(std::string_view thing);
// The record and all postings that it may have: what is to be erased with the thing.
[[nodiscard]] std::vector<std::string> keys_of_connectivity(std::string_view thing);

// Appends what makes it so, whatever it was before: nothing is read. A posting of an earlier reason
// may be left: a plan gives more than it must (plan.h).
void write_connectivity(std::string_view thing, const Connectivity& now,
                        std::vector<store::Operation>& operations);
// Errors: the store's; unavailable (it is damaged).
Result<std::optional<Connectivity>> load_connectivity(const store::Store& store,
                                                      std::string_view thing);

}  // namespace gnomon::index
