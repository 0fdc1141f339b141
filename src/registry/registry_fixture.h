// What the tests of the registry share: a registry in memory, whose store can fail.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "crypto/issue.h"
#include "registry/registry.h"
#include "store/failing.h"
#include "store/memory.h"
#include "store/store_contract.h"

namespace gnomon::registry {

using Content = std::map<std::string, std::string>;

struct Fixture {
  std::unique_ptr<store::Store> memory = store::make_memory_store();
  store::FailingStore store{*memory};
  ManualWallClock clock;  // 2023-11-14T22:13:20Z
  SeededRandom random{1};
  Registry registry{store, clock, random, devices(), "123456789012", "us-east-1"};

  // One authority for all, since keys cost time.
  static const crypto::Authority& devices() {
    static const crypto::Authority made = [] {
      SeededRandom random(2);
      return authority("devices", random);
    }();
    return made;
  }
  // A CA of its own: valid from 2020 to 2049.
  static crypto::Authority authority(
      const std::string& name, Random& random,
      const crypto::PrivateKey& key = crypto::PrivateKey::generate_ec_p256()) {
    auto certificate = crypto::self_sign(
        {crypto::Profile::device_ca, name, {}, WallTime{1'577'836'800'000}, crypto::far_end}, key,
        random);
    REQUIRE_MESSAGE(certificate, certificate.error().message);
    return {*certificate, key};
  }

  [[nodiscard]] Content content() const { return store::all(*memory); }
  void restore(const Content& content) {
    std::vector<store::Operation> operations{store::EraseRange{"", "\xFF"}};
    for (const auto& [key, value] : content) operations.emplace_back(store::Put{key, value});
    store::apply_puts(*memory, operations);
  }
};

}  // namespace gnomon::registry
