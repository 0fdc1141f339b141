// Documents of device shadows. Whatever is sent: what is rejected changes nothing, and what is
// accepted is one version more, can be stored and read again, and everything told of it is JSON.
//
// Input: updates, parted by a byte 0x00, of one shadow.
#include <boost/json.hpp>

#include "base/fuzzing.h"
#include "base/limits.h"
#include "records/value.h"
#include "shadow/document.h"

namespace {

using namespace gnomon;
using namespace gnomon::shadow;
using fuzz::check;

constexpr Limits bounds{limits::shadow_request_bytes, 512, 4};

json::Value parsed(const std::string& text) {
  const auto read = json::parse(text);
  check(read.ok());
  return *read;
}

void look_at(const Document& document) {
  const std::string stored = records::write(document);
  Document again;
  check(records::read(stored, again) && again == document);
  const auto told = get(document, {}, document.changed, "lamp");
  check(told.ok());
  const json::Value state = parsed(*told).at("state");
  // What is told as the difference, reported, leaves none.
  const auto* delta = state.as_object().if_contains("delta");
  if (delta == nullptr) return;
  Update report;

  report.document = std::make_shared<const json::Value>(boost::json::object{{"reported", *delta}});
  report.state = report.document.get();
  report.reported = &report.document->as_object().at("reported");
  const auto follows = update(document, report, {}, document.changed, {1 << 20, 1 << 20, 64});
  check(follows && follows->delta.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = as_text({data, size});
  Document document;
  std::string first;
  for (Seconds now = 1; !rest.empty() && now < 9; ++now) {
    const std::string_view text = fuzz::take_part(rest, '\0');
    Token token;
    const auto read = read_update(text, bounds, token);
    if (!read) {
      check(read.error().code >= 400 && parsed(rejected(read.error(), token)).is_object());
      continue;
    }
    const auto changed = update(document, *read, token, now, bounds);
    if (!changed) continue;
    check(changed->document.version == document.version + 1);
    check(changed->state.size() <= bounds.state_bytes);
    for (const std::string* told : {&changed->accepted, &changed->documents, &changed->state})
      check(parsed(*told).is_object());
    if (!changed->delta.empty()) parsed(changed->delta);
    document = changed->document;
    if (first.empty()) first = changed->state;
    look_at(document);
  }
  if (first.empty()) return 0;
  const auto restored = update(document, restoring(document, parsed(first)), {}, 9, bounds);
  check(restored && restored->state == first);
  return 0;
}
