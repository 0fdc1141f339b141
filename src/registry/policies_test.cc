// Runs testdata/policies.test.
#include "registry/policies.h"

#include "registry/attachments.h"
#include "registry/case_commands.h"

namespace gnomon::registry {
namespace {

// `--document`, or one that says no more than its name.
std::string document(const Command& c) {
  if (c.has("document")) return c.option("document");
  return R"({"Version":"2012-10-17","Statement":[{"Sid":")" + c.option("sid") +
         R"(","Effect":"Allow","Action":"iot:Connect","Resource":"*"}]})";
}

std::string sid_of(const std::string& text) {
  const auto at = text.find("\"Sid\":\"") + 7;
  return text.substr(at, text.find('"', at) - at);
}

std::uint64_t number(const std::string& word) {
  std::uint64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

void add_policy_commands(World::Handlers& to) {
  to["create-policy"] = [](World& world, const Command& c) {
    const auto made = create_policy(world.registry, {c.word(0), document(c), c.attributes});
    if (!world.done(made)) return;
    CHECK(made->value.version == 1);
    CHECK(made->value.is_default_version);
    CHECK(made->value.policy_document == document(c));
  };
  to["get-policy"] = [](World& world, const Command& c) {
    const auto policy = get_policy(world.registry, c.word(0));
    if (!world.done(policy)) return;
    CHECK(policy->policy_arn.ends_with(":policy/" + c.word(0)));
    world.say(policy->policy_name + ':' + std::to_string(policy->default_version) + ' ' +
              sid_of(policy->policy_document));
  };
  to["delete-policy"] = [](World& world, const Command& c) {
    world.done(delete_policy(world.registry, c.word(0)));
  };
  to["list-policies"] = [](World& world, const Command& c) {
    world.list(list_policies(world.registry, c.has("ascending"), world.page(c)),
               [](const PolicyEntry& policy) { return policy.policy_name; });
  };
  to["create-version"] = [](World& world, const Command& c) {
    const auto made =
        create_policy_version(world.registry, c.word(0), document(c), c.has("default"));
    if (!world.done(made)) return;
    CHECK(made->value.is_default_version == c.has("default"));
    world.say(std::to_string(made->value.version));
  };
  to["get-version"] = [](World& world, const Command& c) {
    const auto version = get_policy_version(world.registry, c.word(0), number(c.word(1)));
    if (!world.done(version)) return;
    world.say(std::to_string(version->version) + ' ' + sid_of(version->policy_document) +
              (version->is_default_version ? " default" : ""));
  };
  to["delete-version"] = [](World& world, const Command& c) {
    world.done(delete_policy_version(world.registry, c.word(0), number(c.word(1))));
  };
  to["list-versions"] = [](World& world, const Command& c) {
    const auto versions = list_policy_versions(world.registry, c.word(0));
    if (!world.done(versions)) return;
    for (const PolicyVersionEntry& entry : *versions)
      world.say(std::to_string(entry.version) + (entry.is_default_version ? " default" : ""));
  };
  to["set-default"] = [](World& world, const Command& c) {
    world.done(set_default_policy_version(world.registry, c.word(0), number(c.word(1))));
  };
}

void add_attachment_commands(World::Handlers& to) {
  to["attach-policy"] = [](World& world, const Command& c) {
    world.done(attach_policy(world.registry, c.word(0), c.word(1)));
  };
  to["detach-policy"] = [](World& world, const Command& c) {
    world.done(detach_policy(world.registry, c.word(0), c.word(1)));
  };
  to["list-attached"] = [](World& world, const Command& c) {
    world.list(list_attached_policies(world.registry, c.word(0), c.has("recursive"), world.page(c)),
               [](const PolicyEntry& policy) { return policy.policy_name; });
  };
  to["list-targets"] = [](World& world, const Command& c) {
    world.list(
        list_targets_for_policy(world.registry, c.word(0), c.has("principals"), world.page(c)),
        [](const std::string& target) { return target; }, true);
  };
  to["effective"] = [](World& world, const Command& c) {
    const auto policies =
        get_effective_policies(world.registry, c.option("principal"), c.option("thing"));
    if (!world.done(policies)) return;
    for (const EffectivePolicy& policy : *policies) {
      world.say(policy.policy_name + ':' + std::to_string(policy.version) + ' ' +
                sid_of(policy.policy_document) + " by " + world.shorten(policy.via));
    }
    if (policies->empty()) world.say("nothing");
  };
}

}  // namespace

World::Handlers policy_commands() {
  World::Handlers handlers = certificate_commands();
  add_policy_commands(handlers);
  add_attachment_commands(handlers);
  return handlers;
}

TEST_CASE("policies and their targets") { run_cases("testdata/policies.test", policy_commands()); }

}  // namespace gnomon::registry
