// Change: one attempt of an operation that changes the registry. For the module, and for those that
// compose its steps (steps.h).
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "records/value.h"
#include "registry/event_configurations.h"
#include "registry/registry.h"

namespace gnomon::registry {

// What was changed that decides about permissions.
struct Touched {
  std::set<std::string> principals, things, groups, policies;  // groups by id
  bool everyone = false;
};

// Owner: change(), for one call of the operation's function. Not thread-safe.
class Change {
 public:
  Change(const Registry& of, records::Transaction& in)
      : registry(of), records(in), now(of.clock.now()) {}

  const Registry& registry;
  records::Transaction& records;
  const WallTime now;
  Touched touched;
  std::vector<Event> events;

  [[nodiscard]] std::string arn(std::string_view resource) const {
    return registry::arn(registry, resource);
  }
  // 16 random bytes, as they are stored; uuid() writes them.
  std::string new_id() const;
  // Appends the event that `make` returns, if events of this type are enabled.
  void announce(EventType type, const std::function<Event()>& make);

 private:
  std::optional<EventTypes> enabled_;
};

// "123e4567-e89b-42d3-a456-426614174000" (RFC 9562, version 4) of 16 bytes.
[[nodiscard]] std::string uuid(std::string_view id);

// Adds to `effects` whose permissions depend on what was touched, as it is now: after the change,
// so that whoever joins meanwhile is seen by one of the two.
void spread(const Registry& registry, Touched touched, Effects& effects);

// Calls `function(Change&)`, which returns a Reply<T>, as records::run() does, and completes it to
// a Written<T>.
template <class F>
auto change(Registry& registry, F&& function) {
  using T = typename std::invoke_result_t<F&, Change&>::value_type;
  Touched touched;
  Effects effects;
  auto committed = records::run(registry.store, [&](records::Transaction& records) {
    Change attempt(registry, records);
    auto answer = function(attempt);
    touched = std::move(attempt.touched);
    effects.events = std::move(attempt.events);
    return answer;
  });
  if (!committed) return Written<T>(committed.error());
  spread(registry, std::move(touched), effects);
  return Written<T>(Done<T>{std::move(committed->value), committed->sequence, std::move(effects)});
}

// The record that a value is. If it is damaged the transaction fails.
template <class T>
T decode(records::Transaction& records, std::string_view value) {
  T record;
  if (!records::read(value, record))
    records.fail(Error{Code::unavailable, "a record in the store is damaged: restore a backup"});
  return record;
}

// The record of a key; nullopt: there is none.
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

}  // namespace gnomon::registry
