#include "fleet/thing.h"

#include <utility>

#include "shadow/indexing.h"
#include "shadow/service.h"

namespace gnomon::fleet {

namespace {

using index::number_value;
using index::text_value;

// `field` behind `prefix`; nullopt: it does not begin so.
std::optional<std::string_view> behind(std::string_view field, std::string_view prefix) {
  if (!field.starts_with(prefix)) return std::nullopt;
  return field.substr(prefix.size());
}

// A value of an attribute: text, and the number that it is.
bool visit_attribute(const std::string& value, const index::Subject::Visit& visit) {
  if (visit(text_value(value))) return true;
  const auto number = index::number_of(value);
  return number && visit(number_value(*number));
}

// The shadow that a field lies in, and the field in it. Names of shadows have no dots.
struct ShadowField {
  std::string shadow;
  std::string_view field;
};
ShadowField shadow_field(std::string_view field) {
  if (const auto named = behind(field, "name.")) {
    const std::size_t dot = std::min(named->find('.'), named->size());
    return {std::string(named->substr(0, dot)), named->substr(std::min(dot + 1, named->size()))};
  }
  return {"", field};
}

}  // namespace

registry::Reply<std::unique_ptr<Thing>> Things::find(const std::string& name) {
  auto registered = things_.find(name);
  if (!registered) return registered.error();
  if (!*registered) return std::unique_ptr<Thing>();
  return std::make_unique<Thing>(*this, name, **std::move(registered));
}

const shadow::Document* Thing::shadow(const std::string& shadow_name) const {
  if (!of_.what_.indexes_shadow(shadow_name)) return nullptr;
  const auto [at, fresh] = shadows_.try_emplace(shadow_name);
  if (fresh) {
    auto read = shadow::read_document(of_.registry_.store, {name_, shadow_name});
    if (read) {
      at->second = *std::move(read);
    } else {
      failure_ = read.error();
    }
  }
  return at->second ? &*at->second : nullptr;
}

std::optional<index::Connectivity> Thing::connectivity() const {
  if (!of_.what_.connectivity) return std::nullopt;
  if (!connectivity_) {
    auto read = index::load_connectivity(of_.registry_.store, name_);
    if (!read) failure_ = read.error();
    connectivity_ = read ? *std::move(read) : std::nullopt;
  }
  return connectivity_->value_or(index::Connectivity{});
}

void Thing::each(std::string_view field, const Visit& visit) const {
  bool done = false;
  const Visit until = [&](const index::Value& value) { return done = done || visit(value); };
  each_of_registry(field, until);
  if (!done) each_of_shadows(field, until);
  if (!done) each_of_connectivity(field, until);
}

void Thing::each_of_registry(std::string_view field, const Visit& visit) const {
  const bool all = field.empty();
  if ((all || field == "thingName") && visit(text_value(name_))) return;
  if ((all || field == "thingId") && visit(text_value(registered_.thing_id))) return;
  if ((all || field == "thingTypeName") && !registered_.thing_type_name.empty() &&
      visit(text_value(registered_.thing_type_name))) {
    return;
  }
  if (all || field == "thingGroupNames") {
    for (const std::string& group : registered_.groups)
      if (visit(text_value(group))) return;
  }
  if (field == "registry.version" &&
      visit(number_value(static_cast<double>(registered_.version)))) {
    return;
  }
  const auto attribute = behind(field, "attributes.");
  for (const auto& [name, value] : registered_.attributes)
    if ((all || attribute == name) && visit_attribute(value, visit)) return;
}

void Thing::each_of_shadows(std::string_view field, const Visit& visit) const {
  const auto found = [&](std::string_view, const index::Value& value) { return visit(value); };
  if (field.empty()) {
    if (const auto* classic = shadow("")) shadow::each_value(*classic, "", found);
    for (const std::string& name : of_.what_.shadow_names)
      if (const auto* named = shadow(name)) shadow::each_value(*named, "", found);
  } else if (const auto rest = behind(field, "shadow.")) {
    const ShadowField in = shadow_field(*rest);
    const auto* document = shadow(in.shadow);
    if (document != nullptr && !in.field.empty()) shadow::each_value(*document, in.field, found);
  }
}

void Thing::each_of_connectivity(std::string_view field, const Visit& visit) const {
  const bool all = field.empty();
  const auto name = behind(field, "connectivity.");
  if (!all && !name) return;
  const auto is = connectivity();
  if (!is) return;
  if ((all || name == "connected") && visit(text_value(is->connected ? "true" : "false"))) return;
  if (name == "timestamp" && is->at.ms != 0) visit(number_value(static_cast<double>(is->at.ms)));
  if ((all || name == "disconnectReason") && !is->reason.empty()) visit(text_value(is->reason));
}

}  // namespace gnomon::fleet
