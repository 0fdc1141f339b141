#include "broker/routes.h"

#include <doctest/doctest.h>

namespace gnomon::broker {
namespace {

TEST_CASE("a topic has one route until the cache is emptied; then its pointer's epoch is old") {
  Routes routes(1);
  Route& route = routes.find("a/b");
  route.generation = 5;
  CHECK(&routes.find("a/b") == &route);
  CHECK(routes.find("a/b").generation == 5);
  const auto epoch = routes.epoch();
  for (int i = 0; i < 20'000; ++i) {
    Route& other = routes.find("t/" + std::to_string(i));
    CHECK(other.topic == "t/" + std::to_string(i));
    CHECK(other.generation == 0);
    other.generation = 1;
  }
  CHECK(routes.epoch() > epoch);
  CHECK(routes.find("a/b").generation == 0);
}

TEST_CASE("many targets empty the cache too") {
  Routes routes(1);
  const auto epoch = routes.epoch();
  for (int i = 0; i < 100; ++i) {
    Route& route = routes.find("t/" + std::to_string(i));
    route.targets.resize(20'000);
    routes.computed(route);
  }
  CHECK(routes.epoch() > epoch);
}

}  // namespace
}  // namespace gnomon::broker
