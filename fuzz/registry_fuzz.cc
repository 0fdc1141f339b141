// What the registry reads from outside: records of the store, names of principals and targets, and
// tokens of listings. Whatever the bytes are they are read within their bounds, and what is
// accepted writes itself to the same again. The first byte says which.
#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "records/key.h"
#include "records/value.h"
#include "registry/page.h"
#include "registry/stored.h"
#include "registry/tables.h"
#include "registry/target.h"
#include "store/memory.h"

namespace {

using namespace gnomon;
using namespace gnomon::registry;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void check_record(std::string_view value) {
  T record, again;
  if (!records::read(value, record)) return;
  const std::string written = records::write(record);
  require(records::read(written, again) && records::write(again) == written);
}

void check_key(std::string_view bytes) {
  records::KeyReader reader(bytes);
  const std::string text = reader.text();
  const std::uint64_t number = reader.number();
  if (!reader.good()) return;
  const records::Key again = key(Table::thing).text(text).number(number).last(reader.rest());
  require(records::parts_of(again) == bytes);
}

void check_token(std::string_view token) {
  static const auto store = store::make_memory_store();
  records::Transaction records(*store);
  const auto page = list(records, {"things", key(Table::thing)}, {10, std::string(token)});
  require(!page || page->items.empty());
  if (const auto place = place_of("things", {0, std::string(token)}); place && !place->empty())
    require(token_of("things", *place) == token);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text({data + 1, size - 1});
  switch (data[0] % 9) {
    case 0:
      check_record<stored::Thing>(text);
      break;
    case 1:
      check_record<stored::Group>(text);
      break;
    case 2:
      check_record<stored::Memberships>(text);
      break;
    case 3:
      check_record<stored::Certificate>(text);
      break;
    case 4:
      check_record<stored::Authority>(text);
      break;
    case 5:
      check_record<stored::Policy>(text);
      break;
    case 6:
      check_key(text);
      break;
    case 7:
      check_token(text);
      break;
    default:
      require(target_of(target_of(text).text()).id == target_of(text).id);
  }
  return 0;
}
