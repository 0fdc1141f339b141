// Every error of the model is raised; a store that fails leaves nothing half written.
#include "registry/failure.h"

#include <fstream>
#include <set>

#include "registry/case_commands.h"

namespace gnomon::registry {
namespace {

constexpr const char* files[] = {"things",       "types",       "groups",  "tags",
                                 "certificates", "authorities", "policies"};

TEST_CASE("the cases raise every error once, at least") {
  std::set<std::string> raised{"ServiceUnavailableException",  // below
                               "ConflictingResourceUpdateException",
                               "ResourceRegistrationFailureException",  // provisioning
                               "IndexNotReadyException",                // and these: fleet
                               "InvalidAggregationException",
                               "InvalidQueryException"};
  for (const char* file : files) {
    std::ifstream in("testdata/" + std::string(file) + ".test");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("! ")) raised.insert(line.substr(2, line.find(' ', 2) - 2));
  }
  for (int kind = 0; to_string(static_cast<Kind>(kind)) != "InternalFailureException"; ++kind) {
    const std::string name(to_string(static_cast<Kind>(kind)));
    CHECK_MESSAGE(raised.contains(name), name);
  }
}

TEST_CASE("whichever call the store refuses, nothing is half written, and it is said") {
  for (const char* file : files)
    run_cases("testdata/" + std::string(file) + ".test", policy_commands(), true);
}

TEST_CASE("a disk below its reserve takes rights away and frees space, and adds nothing") {
  World world;
  const auto run = [&](const std::string& line) { return world.run(policy_commands(), line); };
  const std::vector<std::string> refused{"! ServiceUnavailableException"};
  for (const char* line : {"create-thing lamp", "create-group house", "create-policy p",
                           "create-from-csr a --as=a", "attach lamp ~cert/$a",
                           "attach-policy p ~cert/$a", "create-version p", "join lamp house"}) {
    world.fixture.store.set_accepting(false);
    CHECK_MESSAGE(run(line) == refused, line);
    world.fixture.store.set_accepting(true);
    CHECK_MESSAGE(run(line) != refused, line);
  }
  world.fixture.store.set_accepting(false);
  CHECK(run("update-thing lamp a=1") == refused);
  for (const char* line :
       {"update-certificate $a REVOKED", "set-default p 2", "delete-version p 1",
        "detach-policy p ~cert/$a", "detach lamp ~cert/$a", "delete-certificate $a",
        "delete-policy p", "leave lamp house", "delete-group house", "delete-thing lamp"}) {
    const auto said = run(line);
    CHECK_MESSAGE((said.empty() || !said[0].starts_with('!')), line);
  }
  CHECK(world.fixture.content().empty());
}

TEST_CASE("a damaged record is no record, and fails loudly") {
  World world;
  const auto run = [&](const std::string& line) { return world.run(policy_commands(), line); };
  run("create-thing lamp a=1");
  for (auto [key, value] : world.fixture.content()) {
    if (value.empty()) continue;
    value.pop_back();
    store::apply_puts(*world.fixture.memory, {store::Put{key, value}});
  }
  const std::vector<std::string> refused{"! ServiceUnavailableException"};
  CHECK(run("describe-thing lamp") == refused);
  CHECK(run("update-thing lamp a=2") == refused);
  CHECK(run("list-things") == refused);
  CHECK(run("delete-thing lamp") == refused);
}

}  // namespace
}  // namespace gnomon::registry
