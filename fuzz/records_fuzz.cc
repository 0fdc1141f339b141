// The readers of what is in the store: whatever the bytes are they read nothing outside them, and
// what they accept writes itself to the same value again, or to one that reads the same.
// The first byte says which reader.
#include "broker/records.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace {

using namespace gnomon::broker;

// What a record writes of what it read is stable: read again it writes the same.
template <class Record>
void check(std::string_view value) {
  Record record;
  if (!record.read(value)) return;
  const std::string written = record.write();
  Record again;
  if (!again.read(written) || again.write() != written) std::abort();
  // Only what a record has no place for may be lost, so it does not grow.
  if (written.size() > value.size()) std::abort();
}

void check_number(std::string_view value) {
  std::uint64_t number = 0;
  if (records::read_number(value, number) && records::write_number(number) != value) std::abort();
}

void check_key(std::string_view key) {
  std::string_view rest = records::rest(key);
  const std::size_t size = rest.size();
  const std::uint64_t number = records::take_number(rest);
  if (rest.size() == size || key.size() < 3) return;
  const auto slot = records::SlotId(static_cast<std::uint8_t>(key[2]));
  const auto table = static_cast<records::Table>(key[0]);
  const std::string made = records::key(table, slot, number, rest);
  if (made.substr(3) != key.substr(3) || made[0] != key[0] || made[2] != key[2]) std::abort();
  const std::string begin(key), behind = records::behind(begin);
  if (!behind.empty() && behind <= begin) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view value = gnomon::as_text({data + 1, size - 1});
  switch (data[0] % 8) {
    case 0:
      check<records::Will>(value);
      break;
    case 1:
      check<records::Session>(value);
      break;
    case 2:
      check<records::Subscription>(value);
      break;
    case 3:
      check<records::Entry>(value);
      break;
    case 4:
      check<records::Retained>(value);
      break;
    case 5:
      check_number(value);
      break;
    case 6:
      check_key(value);
      break;
    default:
      check<records::Hand>(value);
  }
  return 0;
}
