// Random operations against a model that is as plain as can be.
#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "crypto/issue.h"
#include "registry/sweep.h"

namespace gnomon::registry {
namespace {

struct Thing {
  std::string type;
  Attributes attributes;
  std::uint64_t version = 1;
  std::set<std::string> groups, principals;
};
struct Type {
  WallTime deprecated;
};
struct Group {
  std::string parent;
  std::set<std::string> policies;
};
struct Certificate {
  CertificateStatus status = CertificateStatus::inactive;
};

// Model: what should be. Every operation returns "" or the error's name.
struct Model {
  std::map<std::string, Thing> things;
  std::map<std::string, Type> types;
  std::map<std::string, Group> groups;
  std::map<std::string, Certificate> certificates;        // by ARN
  std::map<std::string, std::set<std::string>> attached;  // principal → policies
  std::set<std::string> policies;

  [[nodiscard]] std::string root(std::string group) const {
    while (!groups.at(group).parent.empty()) group = groups.at(group).parent;
    return group;
  }
  [[nodiscard]] std::string check_type(const std::string& type) const {
    if (!types.contains(type)) return "ResourceNotFoundException";
    return types.at(type).deprecated.ms != 0 ? "InvalidRequestException" : "";
  }
  [[nodiscard]] bool is_target(const std::string& target) const {
    const auto at = target.find("thinggroup/");
    if (at != std::string::npos) return groups.contains(target.substr(at + 11));
    return certificates.contains(target) || target.starts_with("us-east-1:");
  }
  std::set<std::string>& policies_of(const std::string& target) {
    const auto at = target.find("thinggroup/");
    return at == std::string::npos ? attached[target] : groups.at(target.substr(at + 11)).policies;
  }

  std::string create_thing(const std::string& name, const std::string& type,
                           const Attributes& attributes) {
    if (const auto it = things.find(name); it != things.end()) {
      const bool same = it->second.type == type && it->second.attributes == attributes;
      return same ? "" : "ResourceAlreadyExistsException";
    }
    if (!type.empty())
      if (auto wrong = check_type(type); !wrong.empty()) return wrong;
    if (type.empty() && attributes.size() > 3) return "InvalidRequestException";
    things[name] = {type, attributes, 1, {}, {}};
    return "";
  }
  std::string update_thing(const UpdateThing& request) {
    const auto it = things.find(request.thing_name);
    if (it == things.end()) return "ResourceNotFoundException";
    Thing thing = it->second;
    if (request.expected_version.value_or(thing.version) != thing.version)
      return "VersionConflictException";
    if (request.remove_thing_type) thing.type.clear();
    if (!request.thing_type_name.empty() && request.thing_type_name != thing.type) {
      if (auto wrong = check_type(request.thing_type_name); !wrong.empty()) return wrong;
      thing.type = request.thing_type_name;
    }
    if (!request.attribute_payload->merge) thing.attributes.clear();
    for (const auto& [name, value] : request.attribute_payload->attributes)
      thing.attributes[name] = value;
    if (thing.type.empty() && thing.attributes.size() > 3) return "InvalidRequestException";
    ++thing.version;
    it->second = thing;
    return "";
  }
  std::string delete_thing(const std::string& name) {
    const auto it = things.find(name);
    if (it == things.end()) return "";
    if (!it->second.principals.empty()) return "InvalidRequestException";
    things.erase(it);
    return "";
  }
  std::string delete_type(const std::string& name, WallTime now) {
    const auto it = types.find(name);
    if (it == types.end()) return "ResourceNotFoundException";
    const bool used =
        std::ranges::any_of(things, [&](const auto& thing) { return thing.second.type == name; });
    const WallTime since = it->second.deprecated;
    if (since.ms == 0 || now < since + std::chrono::minutes(5) || used)
      return "InvalidRequestException";
    types.erase(it);
    return "";
  }
  std::string create_group(const std::string& name, const std::string& parent) {
    if (const auto it = groups.find(name); it != groups.end())
      return it->second.parent == parent ? "" : "ResourceAlreadyExistsException";
    int levels = 1;
    for (std::string up = parent; !up.empty(); up = groups.at(up).parent, ++levels)
      if (!groups.contains(up)) return "InvalidRequestException";
    if (levels > 7) return "InvalidRequestException";
    groups[name] = {parent, {}};
    return "";
  }
  std::string delete_group(const std::string& name) {
    for (const auto& [child, group] : groups)
      if (group.parent == name && groups.contains(name)) return "InvalidRequestException";
    groups.erase(name);
    for (auto& [thing_name, thing] : things) thing.groups.erase(name);
    return "";
  }
  std::string join(const std::string& thing_name, const std::string& name) {
    const auto it = things.find(thing_name);
    if (it == things.end() || !groups.contains(name)) return "ResourceNotFoundException";
    if (it->second.groups.contains(name)) return "";
    for (const std::string& in : it->second.groups)
      if (root(in) == root(name)) return "InvalidRequestException";
    it->second.groups.insert(name);
    return "";
  }
  std::string leave(const std::string& thing_name, const std::string& name) {
    const auto it = things.find(thing_name);
    if (it == things.end() || !groups.contains(name)) return "ResourceNotFoundException";
    it->second.groups.erase(name);
    return "";
  }
  std::string link(const std::string& thing_name, const std::string& principal, bool attach) {
    const auto it = things.find(thing_name);
    if (it == things.end() || !is_target(principal)) return "ResourceNotFoundException";
    if (attach) {
      it->second.principals.insert(principal);
    } else {
      it->second.principals.erase(principal);
    }
    return "";
  }
  std::string attach_policy(const std::string& policy, const std::string& target, bool attach) {
    if (!policies.contains(policy) || !is_target(target)) return "ResourceNotFoundException";
    auto& all = policies_of(target);
    if (attach) {
      all.insert(policy);
    } else {
      all.erase(policy);
    }
    return "";
  }
  std::string delete_policy(const std::string& policy) {
    if (!policies.contains(policy)) return "ResourceNotFoundException";
    for (const auto& [target, all] : attached)
      if (all.contains(policy)) return "DeleteConflictException";
    for (const auto& [name, group] : groups)
      if (group.policies.contains(policy)) return "DeleteConflictException";
    policies.erase(policy);
    return "";
  }
  std::string delete_certificate(const std::string& arn, bool force) {
    const auto it = certificates.find(arn);
    if (it == certificates.end()) return "ResourceNotFoundException";
    if (it->second.status == CertificateStatus::active) return "CertificateStateException";
    for (const auto& [name, thing] : things)
      if (thing.principals.contains(arn)) return "DeleteConflictException";
    if (!attached[arn].empty() && !force) return "DeleteConflictException";
    attached.erase(arn);
    certificates.erase(it);
    return "";
  }
};

// Pair: registry and model, given the same operations.
class Pair {
 public:
  Fixture fixture;
  Model model;
  std::map<std::string, int> outcomes;  // by the name of the error

  Pair() {
    for (int i = 0; i < 3; ++i) {
      const auto made = crypto::issue(
          {crypto::Profile::device, "device", {}, WallTime{1'577'836'800'000}, crypto::far_end},
          crypto::PrivateKey::generate_ec_p256().public_key(), Fixture::devices(), fixture.random);
      REQUIRE(made);
      pems_.push_back(made->to_pem());
      principals_.push_back("arn:aws:iot:us-east-1:123456789012:cert/" + made->id());
    }
    principals_.push_back("us-east-1:0a1b2c3d-0000-0000-0000-000000000000");
  }

  void step() {
    const std::uint64_t kind = fixture.random.below(10);
    if (kind < 3) return step_thing();
    if (kind == 3) return step_type();
    if (kind < 6) return step_group();
    if (kind < 8) return step_principal();
    step_policy();
  }

  // All that can be listed, as text.
  void compare() {
    compare_things();
    for (const auto& [name, group] : model.groups) {
      std::vector<std::string> members;
      for (const auto& [thing, in] : model.things)
        if (in.groups.contains(name)) members.push_back(thing);
      CHECK(collect([&](const PageRequest& page) {
              return list_things_in_thing_group(registry, {name, false, page});
            }) == members);
    }
    std::vector<std::string> groups;
    for (const auto& group : collect([&](const PageRequest& page) {
           return list_thing_groups(registry, {"", "", {}, page});
         }))
      groups.push_back(group.group_name);
    CHECK(groups == keys(model.groups));
    compare_policies();
  }

 private:
  template <class T>
  static std::vector<std::string> keys(const std::map<std::string, T>& map) {
    std::vector<std::string> names;
    for (const auto& [name, value] : map) names.push_back(name);
    return names;
  }

  std::string any(const char* prefix, std::uint64_t count) {
    return prefix + std::to_string(fixture.random.below(count));
  }
  bool often() { return fixture.random.below(3) != 0; }
  Attributes some_attributes(std::uint64_t most) {
    Attributes attributes;
    for (std::uint64_t n = fixture.random.below(most); n > 0; --n)
      attributes[any("a", 5)] = any("v", 3);
    return attributes;
  }
  template <class R>
  void same(const R& reply, const std::string& expected) {
    CHECK(std::string(reply ? "" : to_string(reply.error().kind)) == expected);
    ++outcomes[expected];
  }

  void step_thing() {
    const std::string name = any("t", 8), type = often() ? "" : any("k", 3);
    const Attributes attributes = some_attributes(5);
    switch (fixture.random.below(4)) {
      case 0:
      case 1:
        same(create_thing(registry, {name, type, AttributePayload{attributes}, ""}),
             model.create_thing(name, type, attributes));
        break;
      case 2: {
        UpdateThing request{name, type, AttributePayload{attributes, often()}, {}, false};
        if (!often()) request.expected_version = 1 + fixture.random.below(3);
        request.remove_thing_type = type.empty() && !often();
        same(update_thing(registry, request), model.update_thing(request));
        break;
      }
      default:
        same(delete_thing(registry, name), model.delete_thing(name));
    }
  }

  void step_type() {
    const std::string name = any("k", 3);
    fixture.clock.advance(std::chrono::minutes(1));
    switch (fixture.random.below(3)) {
      case 0:
        same(create_thing_type(registry, {name, {}, {}}), "");
        model.types.emplace(name, Type{});
        break;
      case 1: {
        const bool undo = often();
        const auto type = model.types.find(name);
        same(deprecate_thing_type(registry, name, undo),
             type == model.types.end() ? "ResourceNotFoundException" : "");
        if (type == model.types.end()) break;
        WallTime& since = type->second.deprecated;
        since = undo ? WallTime{} : since.ms != 0 ? since : fixture.clock.now();
        break;
      }
      default:
        same(delete_thing_type(registry, name), model.delete_type(name, fixture.clock.now()));
    }
  }

  void step_group() {
    const std::string name = any("g", 12), thing = any("t", 8);
    switch (fixture.random.below(5)) {
      case 0: {
        std::string parent = often() ? any("g", 12) : "";
        if (parent == name) parent.clear();
        same(create_thing_group(registry, {name, parent, {}, {}}),
             model.create_group(name, parent));
        break;
      }
      case 1:
        if (!often()) same(delete_thing_group(registry, name), model.delete_group(name));
        break;
      case 2:
        same(remove_thing_from_thing_group(registry, {name, "", thing, ""}),
             model.leave(thing, name));
        break;
      default:
        same(add_thing_to_thing_group(registry, {name, "", thing, ""}), model.join(thing, name));
    }
  }

  void step_principal() {
    const std::size_t at = fixture.random.below(principals_.size());
    const std::string& principal = principals_[at];
    const std::string id = principal.substr(principal.rfind('/') + 1);
    const bool certificate = at < pems_.size();
    const std::uint64_t kind = fixture.random.below(certificate ? 7 : 4);
    if (kind < 4) {
      const std::string thing = any("t", 8);
      if (kind < 3) {
        same(attach_thing_principal(registry, {thing, principal}),
             model.link(thing, principal, true));
      } else {
        same(detach_thing_principal(registry, thing, principal),
             model.link(thing, principal, false));
      }
    } else if (kind == 4) {
      const bool there = model.certificates.contains(principal);
      same(register_certificate_without_ca(registry, pems_[at], CertificateStatus::inactive),
           there ? "ResourceAlreadyExistsException" : "");
      model.certificates.emplace(principal, Certificate{});
    } else if (kind == 5) {
      const auto status = often() ? CertificateStatus::inactive : CertificateStatus::active;
      const auto it = model.certificates.find(principal);
      same(update_certificate(registry, id, status),
           it == model.certificates.end() ? "ResourceNotFoundException" : "");
      if (it != model.certificates.end()) it->second.status = status;
    } else {
      const bool force = often();
      same(delete_certificate(registry, id, force), model.delete_certificate(principal, force));
    }
  }

  void step_policy() {
    const std::string policy = any("p", 4);
    const std::string target =
        often() ? principals_[fixture.random.below(principals_.size())]
                : "arn:aws:iot:us-east-1:123456789012:thinggroup/" + any("g", 12);
    switch (fixture.random.below(5)) {
      case 0: {
        const bool there = !model.policies.insert(policy).second;
        same(create_policy(registry, {policy, document, {}}),
             there ? "ResourceAlreadyExistsException" : "");
        break;
      }
      case 1:
        same(delete_policy(registry, policy), model.delete_policy(policy));
        break;
      case 2:
        same(detach_policy(registry, policy, target), model.attach_policy(policy, target, false));
        break;
      default:
        same(attach_policy(registry, policy, target), model.attach_policy(policy, target, true));
    }
  }

  void compare_things() {
    std::vector<std::string> names;
    std::map<std::string, std::vector<std::string>> by_type, by_value;
    for (const auto& [name, thing] : model.things) {
      by_type[thing.type].push_back(name);
      if (const auto it = thing.attributes.find("a1"); it != thing.attributes.end())
        by_value[it->second].push_back(name);
      const auto is = describe_thing(registry, name);
      REQUIRE(is);
      CHECK(is->version == thing.version);
      CHECK(is->attributes == thing.attributes);
      CHECK(is->thing_type_name == thing.type);
      std::set<std::string> groups, principals;
      for (const auto& group : collect([&](const PageRequest& page) {
             return list_thing_groups_for_thing(registry, name, page);
           }))
        groups.insert(group.group_name);
      CHECK(groups == thing.groups);
      for (const auto& object : collect([&](const PageRequest& page) {
             return list_thing_principals(registry, name, {}, page);
           }))
        principals.insert(object.principal);
      CHECK(principals == thing.principals);
    }
    const auto list = [&](const ListThings& filter) {
      std::vector<std::string> found;
      for (const auto& thing : collect([&](const PageRequest& page) {
             ListThings request = filter;
             request.page = page;
             return list_things(registry, request);
           }))
        found.push_back(thing.thing_name);
      return found;
    };
    CHECK(list({}) == keys(model.things));
    CHECK(list({"", {}, false, "k1", {}}) == by_type["k1"]);
    CHECK(list({"a1", "v1", false, "", {}}) == by_value["v1"]);
    std::size_t all = 0;
    for (const auto& [value, found] : by_value) all += found.size();
    CHECK(list({"a1", "v", true, "", {}}).size() == all);
    CHECK(list({"a1", {}, false, "k1", {}}).size() <= by_type["k1"].size());
  }

  void compare_policies() {
    for (const std::string& policy : model.policies) {
      std::set<std::string> targets, is;
      for (const auto& [target, all] : model.attached)
        if (all.contains(policy)) targets.insert(target);
      for (const auto& [name, group] : model.groups)
        if (group.policies.contains(policy))
          targets.insert("arn:aws:iot:us-east-1:123456789012:thinggroup/" + name);
      for (const auto& target : collect([&](const PageRequest& page) {
             return list_targets_for_policy(registry, policy, false, page);
           }))
        is.insert(target);
      CHECK(is == targets);
    }
    for (const std::string& principal : principals_) {
      if (!model.is_target(principal)) continue;
      for (const auto& [name, thing] : model.things) {
        std::set<std::string> effective = model.attached[principal], is;
        for (std::string group : thing.groups)
          for (; !group.empty(); group = model.groups.at(group).parent)
            effective.insert(model.groups.at(group).policies.begin(),
                             model.groups.at(group).policies.end());
        const auto found = get_effective_policies(registry, principal, name);
        REQUIRE(found);
        for (const auto& policy : *found) is.insert(policy.policy_name);
        CHECK(is == effective);
        CHECK(found->size() == effective.size());
      }
    }
  }

  static constexpr const char* document =
      R"({"Version":"2012-10-17",)"
      R"("Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]})";
  Registry& registry = fixture.registry;
  std::vector<std::string> pems_, principals_;
};

TEST_CASE("model: random operations, and in the end nothing is left of them") {
  std::map<std::string, int> outcomes;
  for (int run = 0; run < 4; ++run) {
    Pair pair;
    pair.fixture.random = SeededRandom(static_cast<std::uint64_t>(run) + 10);
    for (int i = 0; i < 1500; ++i) {
      pair.step();
      if (i % 25 == 0) pair.compare();
    }
    pair.compare();
    sweep(pair.fixture);
    for (const auto& [outcome, count] : pair.outcomes) outcomes[outcome] += count;
  }
  CHECK(outcomes[""] > 2000);
  for (const char* error :
       {"InvalidRequestException", "ResourceNotFoundException", "ResourceAlreadyExistsException",
        "VersionConflictException", "DeleteConflictException", "CertificateStateException"})
    CHECK_MESSAGE(outcomes[error] >= 10, error << ' ' << outcomes[error]);
}

}  // namespace
}  // namespace gnomon::registry
