#include "registry/change.h"

#include "base/limits.h"
#include "crypto/hash.h"
#include "registry/stored.h"
#include "registry/tables.h"
#include "registry/target.h"

namespace gnomon::registry {

namespace {

// Spreading: from what was touched to the principals whose permissions depend on it.
class Spreading {
 public:
  Spreading(const Registry& registry, Touched touched)
      : records_(registry.store), touched_(std::move(touched)) {}

  void run() {
    while (!touched_.everyone && !records_.failure() && step()) {
    }
    if (records_.failure()) touched_.everyone = true;  // nobody knows: look at all
  }
  [[nodiscard]] bool everyone() const { return touched_.everyone; }
  [[nodiscard]] const std::set<std::string>& principals() const { return touched_.principals; }

 private:
  // Takes one name and adds what depends on it; false: there is none left.
  bool step() {
    if (!touched_.policies.empty()) {
      const auto node = touched_.policies.extract(touched_.policies.begin());
      each(key(Table::policy_target).text(node.value()),
           [&](std::string_view rest) { add(target_of(rest)); });
    } else if (!touched_.groups.empty()) {
      const auto node = touched_.groups.extract(touched_.groups.begin());
      spread_group(node.value());
    } else if (!touched_.things.empty()) {
      const auto node = touched_.things.extract(touched_.things.begin());
      each(key(Table::thing_principal).text(node.value()),
           [&](std::string_view rest) { add(target_of(rest)); });
    } else {
      return false;
    }
    return true;
  }

  void spread_group(std::string_view id) {
    each(id_key(Table::group_member, id, ""),
         [&](std::string_view rest) { touched_.things.emplace(rest); });
    std::vector<std::string> children;
    each(id_key(Table::group_child, id, ""),
         [&](std::string_view rest) { children.emplace_back(rest); });
    for (const std::string& child : children) {
      if (const auto group = load<stored::Group>(records_, key(Table::group, child)))
        touched_.groups.insert(group->id);
    }
  }

  void add(const Target& target) {
    (target.kind == Target::Kind::group ? touched_.groups : touched_.principals).insert(target.id);
    if (touched_.principals.size() > limits::principals_named_max) touched_.everyone = true;
  }

  template <class F>
  void each(const records::Key& prefix, F&& take) {
    const std::size_t size = prefix.view().size();
    records_.scan(prefix, prefix.behind(), [&](std::string_view key, std::string_view) {
      take(key.substr(size));
      if (++seen_ > seen_max) touched_.everyone = true;
      return !touched_.everyone;
    });
  }

  static constexpr std::size_t seen_max = 10 * limits::principals_named_max;
  records::Transaction records_;
  Touched touched_;
  std::size_t seen_ = 0;
};

}  // namespace

std::string Change::new_id() const {
  std::string id(16, '\0');
  registry.random.fill({reinterpret_cast<std::uint8_t*>(id.data()), id.size()});
  return id;
}

void Change::announce(EventType type, const std::function<Event()>& make) {
  if (!enabled_) enabled_ = enabled_events(records);
  if ((*enabled_ & bit(type)) != 0) events.push_back(make());
}

std::string uuid(std::string_view id) {
  std::string bytes(id);
  bytes.resize(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = crypto::hex(as_bytes(bytes));
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

void spread(const Registry& registry, Touched touched, Effects& effects) {
  Spreading spreading(registry, std::move(touched));
  spreading.run();
  effects.everyone = spreading.everyone();
  if (!effects.everyone)
    effects.principals.assign(spreading.principals().begin(), spreading.principals().end());
}

}  // namespace gnomon::registry
