// Certificates that lie in the folder until they are registered.
#include "server/left_certificates.h"

#include <filesystem>

#include <doctest/doctest.h>

#include "crypto/issue.h"
#include "store/temporary_folder.h"

namespace gnomon::server {
namespace {

TEST_CASE("a certificate is left, seen, listed and taken") {
  const store::TemporaryFolder folder;
  SeededRandom random{1};
  const auto made = crypto::self_sign(
      {crypto::Profile::device_ca, "lamp", {}, WallTime{1'577'836'800'000}, crypto::far_end},
      crypto::PrivateKey::generate_ec_p256(), random);
  REQUIRE(made);
  CHECK(left_certificates(folder.path()).empty());
  CHECK_FALSE(is_left(folder.path(), made->id()));
  CHECK(take_left(folder.path(), made->id()).ok());
  for (int i = 0; i < 2; ++i) REQUIRE(leave_certificate(folder.path(), *made).ok());
  CHECK(is_left(folder.path(), made->id()));
  CHECK(left_certificates(folder.path()) == std::vector<std::string>{made->id()});
  const auto mode = std::filesystem::status(folder.path() + "/devices").permissions();
  CHECK(mode == std::filesystem::perms::owner_all);
  REQUIRE(take_left(folder.path(), made->id()).ok());
  CHECK_FALSE(is_left(folder.path(), made->id()));
  CHECK_FALSE(leave_certificate(folder.path() + "/none", *made).ok());
}

}  // namespace
}  // namespace gnomon::server
