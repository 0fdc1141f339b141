// Queries of the fleet index. Whatever is asked is read or refused with its place; a plan leads to
// whatever the query matches.
//
// Input: a query, a byte 0x00, then fields and values, parted by a byte 0x00.
#include "index/query.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fuzzing.h"
#include "index/plan.h"

namespace {

using namespace gnomon;
using namespace gnomon::index;
using fuzz::check;

class Thing final : public Subject {
 public:
  std::multimap<std::string, std::string, std::less<>> fields;

  void each(std::string_view field, const Visit& visit) const override {
    for (const auto& [name, value] : fields) {
      if (!field.empty() && field != name) continue;
      if (visit(text_value(value))) return;
      const auto number = number_of(value);
      if (number && visit(number_value(*number))) return;
    }
  }
};

bool leads(const Plan& plan, const std::set<std::string>& keys) {
  switch (plan.kind) {
    case Plan::Kind::everything:
      return true;
    case Plan::Kind::term:
      return keys.contains(plan.prefix + "t");
    case Plan::Kind::ranges:
      for (const Range& range : plan.ranges) {
        const auto at = keys.lower_bound(range.begin);
        if (at != keys.end() && *at < range.end) return true;
      }
      return false;
    case Plan::Kind::both:
      for (const Plan& part : plan.parts)
        if (!leads(part, keys)) return false;
      return true;
    case Plan::Kind::either:
      for (const Plan& part : plan.parts)
        if (leads(part, keys)) return true;
      return false;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = as_text({data, size});
  const auto query = read_query(fuzz::take_part(rest, '\0'));
  if (!query) {
    check(query.error().message.find(" (at character ") != std::string::npos ||
          query.error().message.starts_with("it is longer than"));
    return 0;
  }
  Thing thing;
  std::set<std::string> keys;
  for (int left = 16; !rest.empty() && left > 0; --left) {
    const std::string field(fuzz::take_part(rest, '\0'));
    const std::string value(fuzz::take_part(rest, '\0'));
    if (field.empty() || !has_postings(field)) continue;
    thing.fields.emplace(field, value);
    keys.insert(posting(field, text_value(value), "t"));
    if (const auto number = number_of(value))
      keys.insert(posting(field, number_value(*number), "t"));
  }
  for (const std::string& key : keys) check(read_posting(key)->thing == "t");
  const Planning planning{[](const Query&) { return true; },
                          [&] {
                            std::vector<std::string> fields;
                            for (const auto& [name, value] : thing.fields) fields.push_back(name);
                            return std::optional(std::move(fields));
                          }};
  const Plan made = plan(*query, planning);
  if (matches(*query, thing)) check(leads(made, keys));
  return 0;
}
