// What the tests of iam share: an account in memory, whose store can fail.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "iam/iam.h"
#include "store/failing.h"
#include "store/memory.h"
#include "store/store_contract.h"

namespace gnomon::iam {

struct Fixture {
  std::unique_ptr<store::Store> memory = store::make_memory_store();
  store::FailingStore store{*memory};
  ManualWallClock clock;  // 2023-11-14T22:13:20Z
  SeededRandom random{1};
  crypto::Sealer sealer{crypto::MasterKey{1}};
  Iam iam{store, clock, random, sealer, "123456789012", {"AKIAROOTROOTROOTROOT", "root secret"}};

  [[nodiscard]] std::map<std::string, std::string> content() const { return store::all(*memory); }
};

}  // namespace gnomon::iam
