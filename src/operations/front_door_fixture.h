// What the tests of the front door share: a server in memory, whose store can fail, and its root
// key.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "api/sigv4.h"
#include "iam/iam.h"
#include "identity/devices.h"
#include "operations/front_door.h"
#include "provisioning/provisioning_fixture.h"
#include "registry/registry_fixture.h"

namespace gnomon::operations::testing {

inline constexpr const char* key_id = "AKIAIOSFODNN7EXAMPLE";
inline constexpr const char* secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

struct Fixture {
  net::Request request(std::string method, std::string target, std::string body = {}) {
    return {std::move(method), std::move(target), {{"Host", "localhost:4566"}}, std::move(body)};
  }
  net::Request sign(net::Request request, const api::Signer& by) {
    api::sign(request, by, registry.clock.now());
    return request;
  }
  Answer call(net::Request request) { return door.serve({std::move(request), address, false}); }
  // Signed with the root key.
  Answer signed_call(std::string method, std::string target, std::string body = {}) {
    return call(sign(request(std::move(method), std::move(target), std::move(body)), signer));
  }

  std::string address = "192.0.2.1";
  registry::Fixture registry;
  crypto::Sealer sealer{crypto::MasterKey{}};
  iam::Iam iam{registry.store, registry.clock, registry.random,
               sealer,         "123456789012", {key_id, secret}};
  provisioning::GivenRoles roles;
  provisioning::Provisioning provisioning{registry.registry, sealer, roles};
  ManualClock monotonic;
  identity::Devices devices{{registry.registry, monotonic, registry.clock, {}, {}}};
  World world{registry.registry, iam, provisioning, devices, "localhost"};
  SeededRandom random{7};
  CallCounts counts;
  FrontDoor door{{world, random, registry.clock, monotonic, counts}};
  api::Signer signer{key_id, secret, "", "us-east-1", "iot"};
};

inline std::string_view error_type(const Answer& answer) {
  for (const net::Header& header : answer.response.headers) {
    if (net::same_name(header.name, "x-amzn-errortype")) return header.value;
  }
  return {};
}

}  // namespace gnomon::operations::testing
