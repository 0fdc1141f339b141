// Test fixture: keys and certificates for servers of tests, in a folder that goes with the program.
#pragma once

#include "base/random.h"
#include "server/material.h"
#include "store/temporary_folder.h"

namespace gnomon::server::testing {

// The same for all that ask in this program.
inline Result<Material> material(WallTime now) {
  static const store::TemporaryFolder folder;
  static SeededRandom random{3};
  return make_material(folder.path(), *server_names("", {}), now, random);
}

}  // namespace gnomon::server::testing
