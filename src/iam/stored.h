// What IAM keeps in the store: its tables, and reading and writing them. Internal to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "iam/entities.h"
#include "records/key.h"
#include "records/tables.h"
#include "records/transaction.h"
#include "records/value.h"

namespace gnomon::iam {

enum class Table : std::uint8_t {
  user = 64,        // name in lower case → Entity
  role = 65,        // the same
  user_by_id = 66,  // id of a user → their name
  access_key = 67,  // id → AccessKey
  policy = 68,      // name in lower case → ManagedPolicy
  policy_use = 69,  // id of the policy, "u" or "r", id of the user or role → UseRecord
  count = 70,       // the byte of user, role or policy → how many there are (Count)
  tables
};
static_assert(static_cast<int>(Table::user) == static_cast<int>(records::Owner::iam));
static_assert(static_cast<int>(Table::tables) <= static_cast<int>(records::Owner::provisioning));

[[nodiscard]] inline records::Key key(Table table, std::string_view last = {}) {
  return records::Key(static_cast<std::uint8_t>(table)).last(last);
}
[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] records::Key key(const Owner& owner);

// The record that a value is. If it is damaged the transaction fails.
template <class T>
T decode(records::Transaction& records, std::string_view value) {
  T record;
  if (!records::read(value, record))
    records.fail(Error{Code::unavailable, "a record in the store is damaged: restore a backup"});
  return record;
}
// nullopt: there is none.
template <class T>
std::optional<T> load(records::Transaction& records, std::string_view key) {
  const auto value = records.get(key);
  if (!value) return std::nullopt;
  return decode<T>(records, *value);
}
template <class T>
void save(records::Transaction& records, std::string_view key, const T& record) {
  records.put(key, records::write(record));
}

// The user or role of exactly this name. Errors: no_such_entity.
Reply<Entity> load_entity(records::Transaction& records, const Owner& owner);

struct Count {
  std::uint64_t number = 0;
  static void fields(auto& r, auto& archive) { archive(r.number); }
};
// One more user, role or policy (which table). Errors: limit_exceeded.
Reply<Nothing> count_up(records::Transaction& records, Table of);
void count_down(records::Transaction& records, Table of);

// Callers that are remembered are not so any more.
void forget_callers(const Iam& iam);

// Runs `function(Transaction&)`, which returns a Reply<T>, as records::run() does.
template <class F>
auto change(Iam& iam, F&& function) {
  using T = typename std::invoke_result_t<F&, records::Transaction&>::value_type;
  auto committed = records::run(iam.store, function);
  forget_callers(iam);
  if (!committed) return Written<T>(committed.error());
  return Written<T>(Done<T>{std::move(committed->value), committed->sequence});
}

// A page of a table by names in lower case, of the records (which have a name) that `keep` takes.
template <class T, class F>
Reply<Page<T>> list_by_name(records::Transaction& records, const records::Key& all,
                            const PageRequest& request, F&& keep) {
  const auto place = place_of(request);
  if (!place) return place.error();
  std::string begin(records::Key(all).last(lower_case(place->behind)).view());
  if (!place->behind.empty()) begin += '\0';
  Page<T> page;
  records.scan(begin, all.behind(), [&](std::string_view, std::string_view value) {
    auto record = decode<T>(records, value);
    if (!keep(record)) return true;
    if (page.items.size() == place->limit) {
      page.marker = marker_of(page.items.back().name);
      return false;
    }
    page.items.push_back(std::move(record));
    return true;
  });
  return page;
}

// "AIDA" and 17 random letters and digits: 85 bits.
[[nodiscard]] std::string new_id(Random& random, std::string_view prefix, std::size_t size);
// 40 characters.
[[nodiscard]] std::string new_secret(Random& random);
// What the secret of an access key is sealed for.
[[nodiscard]] std::string sealed_for(std::string_view access_key_id);

}  // namespace gnomon::iam
