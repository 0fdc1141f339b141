// Threads on the same few names: what refers to something finds it, and counts stay right.
#include <array>
#include <thread>

#include <doctest/doctest.h>

#include "registry/sweep.h"

namespace gnomon::registry {
namespace {

constexpr const char* document =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";

class Worker {
 public:
  Worker(Registry& registry, const std::vector<std::string>& pems, std::uint64_t seed)
      : registry_(registry), pems_(pems), random_(seed) {
    for (const std::string& pem : pems)
      principals_.push_back("arn:aws:iot:us-east-1:123456789012:cert/" +
                            crypto::Certificate::from_pem(pem)->id());
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }
  // How many had to be told to try again.
  [[nodiscard]] int unavailable() const { return unavailable_; }

 private:
  std::string any(const char* prefix, std::uint64_t count) {
    return prefix + std::to_string(random_.below(count));
  }
  template <class R>
  void note(const R& reply) {
    if (!reply && reply.error().kind == Kind::service_unavailable) ++unavailable_;
  }

  void step() {
    const std::size_t at = random_.below(pems_.size());
    const std::string thing = any("t", 3), group = any("g", 3), policy = any("p", 2);
    const std::string& principal = principals_[at];
    const std::string id = principal.substr(principal.rfind('/') + 1);
    const std::string target = random_.below(2) == 0
                                   ? principal
                                   : "arn:aws:iot:us-east-1:123456789012:thinggroup/" + group;
    switch (random_.below(16)) {
      case 0:
        return note(
            create_thing(registry_, {thing, "", AttributePayload{{{"a", any("v", 3)}}}, ""}));
      case 1:
        return note(update_thing(registry_,
                                 {thing, "k", AttributePayload{{{"a", any("v", 3)}}}, {}, false}));
      case 2:
        return note(delete_thing(registry_, thing));
      case 3:
        return note(create_thing_group(registry_, {group, group == "g0" ? "" : "g0", {}, {}}));
      case 4:
        return note(delete_thing_group(registry_, group));
      case 5:
      case 6:
        return note(add_thing_to_thing_group(registry_, {group, "", thing, ""}));
      case 7:
        return note(attach_thing_principal(
            registry_, {thing, principal,
                        random_.below(3) == 0 ? ThingPrincipalType::exclusive_thing
                                              : ThingPrincipalType::non_exclusive_thing}));
      case 8:
        return note(detach_thing_principal(registry_, thing, principal));
      case 9:
        return note(
            register_certificate_without_ca(registry_, pems_[at], CertificateStatus::inactive));
      case 10:
        return note(delete_certificate(registry_, id, true));
      case 11:
        return note(create_policy(registry_, {policy, document, {}}));
      case 12:
        return note(delete_policy(registry_, policy));
      case 13:
      case 14:
        return note(attach_policy(registry_, policy, target));
      default:
        return note(detach_policy(registry_, policy, target));
    }
  }

  Registry& registry_;
  const std::vector<std::string>& pems_;
  SeededRandom random_;
  std::vector<std::string> principals_;
  int unavailable_ = 0;
};

TEST_CASE("race: four threads, and in the end nothing is left of them") {
  Fixture fixture;
  SystemRandom random;
  Registry registry{fixture.store,      fixture.clock,  random,
                    Fixture::devices(), "123456789012", "us-east-1"};
  REQUIRE(create_thing_type(registry, {"k", {}, {}}));
  std::vector<std::string> pems;
  for (int i = 0; i < 3; ++i) {
    const auto made = crypto::issue(
        {crypto::Profile::device, "device", {}, WallTime{1'577'836'800'000}, crypto::far_end},
        crypto::PrivateKey::generate_ec_p256().public_key(), Fixture::devices(), random);
    REQUIRE(made);
    pems.push_back(made->to_pem());
  }
  for (int round = 0; round < 5; ++round) {
    std::vector<Worker> workers;
    for (std::uint64_t i = 0; i < 4; ++i)
      workers.emplace_back(registry, pems, 10 * static_cast<std::uint64_t>(round) + i);
    std::vector<std::thread> threads;
    for (Worker& worker : workers) threads.emplace_back([&worker] { worker.run(500); });
    for (std::thread& thread : threads) thread.join();
    for (const Worker& worker : workers) CHECK(worker.unavailable() == 0);
    // What is referred to is there, and each count is right: or a sweep would fail.
    sweep(fixture);
    REQUIRE(create_thing_type(registry, {"k", {}, {}}));
  }
}

}  // namespace
}  // namespace gnomon::registry
