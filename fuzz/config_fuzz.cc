// A file of settings: whatever its bytes are, the loader ends, and each mistake has its place. What
// it takes without one shows itself as settings that it takes again.
#include "server/config.h"

#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "server/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gnomon::server;
  const std::string text(gnomon::as_text({data, size}));
  const Loaded loaded = load_config_text(text, "gnomon.toml");
  for (const Mistake& mistake : loaded.mistakes) {
    if (!mistake.where.starts_with("gnomon.toml") || mistake.what.empty()) std::abort();
  }
  if (loaded.origins.size() != settings().size()) std::abort();
  if (!loaded.mistakes.empty()) return 0;
  Config again;
  for (const Setting& setting : settings()) {
    if (!setting.read(again, setting.show(loaded.config)).empty()) std::abort();
  }
  if (again != loaded.config) std::abort();
  return 0;
}
