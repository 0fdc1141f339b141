#include "shadow/document.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace gnomon::shadow {

namespace bj = boost::json;

namespace {

Rejection invalid_node() { return {400, "State contains an invalid node"}; }
Rejection too_large() { return {413, "The payload exceeds the maximum size allowed"}; }

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    if (!is_mqtt_utf8(text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

Answer<json::Value> read_object(std::string_view text, const Limits& limits) {
  if (text.size() > limits.request_bytes) return too_large();
  auto read =
      json::parse(text, {.bytes_max = limits.request_bytes, .duplicates = json::Duplicates::last});
  if (read && read->is_object()) return *std::move(read);
  if (is_utf8(text)) return Rejection{400, "Invalid JSON"};
  return Rejection{415, "Unsupported documented encoding; supported encoding is UTF-8"};
}

Answer<Token> token_of(const bj::object& object) {
  const bj::value* found = object.if_contains("clientToken");
  if (found == nullptr) return Token();
  const bj::string* text = found->if_string();
  if (text == nullptr || text->size() > limits::shadow_token_bytes_max) {
    return Rejection{400, "Invalid clientToken"};
  }
  return Token(std::string(text->data(), text->size()));
}

// Of a value that stands `depth` names and arrays below its section.
std::optional<Rejection> check(const bj::value& value, int depth, bool in_array,
                               const Limits& limits) {
  if (value.is_null() && in_array) return invalid_node();
  if (value.is_primitive()) return std::nullopt;
  const auto below = [&](const bj::value& each, bool array) -> std::optional<Rejection> {
    if (depth == limits.depth) {
      return Rejection{400, "JSON contains too many levels of nesting; maximum is " +
                                std::to_string(limits.depth)};
    }
    return check(each, depth + 1, array, limits);
  };
  if (const bj::array* array = value.if_array()) {
    for (const bj::value& each : *array)
      if (auto bad = below(each, true)) return bad;
  } else {
    for (const auto& pair : value.get_object())
      if (auto bad = below(pair.value(), in_array)) return bad;
  }
  return std::nullopt;
}

// A section as a request names it.
std::optional<Rejection> read_section(const bj::object& state, const char* name, const char* called,
                                      const Limits& limits, const json::Value*& section) {
  section = state.if_contains(name);
  if (section == nullptr || section->is_null()) return std::nullopt;
  if (!section->is_object()) return Rejection{400, std::string(called) + " node must be an object"};
  return check(*section, 0, false, limits);
}

void append_token(std::string& out, const Token& token) {
  if (!token) return;
  out += R"(,"clientToken":)";
  append_json(out, *token);
}
void append_version(std::string& out, std::uint64_t version) {
  (out += R"(,"version":)") += std::to_string(version);
}
void append_timestamp(std::string& out, Seconds now) {
  (out += R"(,"timestamp":)") += std::to_string(now);
}

// {"desired":{…},"reported":{…}}, without what is empty.
template <class Append>
void append_sections(std::string& out, const Document& document, const Append& append) {
  out += '{';
  bool any = false;
  for (const auto& [name, section] :
       {std::pair{"desired", &document.desired}, std::pair{"reported", &document.reported}}) {
    if (section->empty()) continue;
    if (std::exchange(any, true)) out += ',';
    ((out += '"') += name) += "\":";
    append(*section);
  }
  out += '}';
}

// {"state":…,"metadata":…,"version":n} with what it is known by, for `…/documents`.
void append_view(std::string& out, const Document& document) {
  out += R"({"state":)";
  append_sections(out, document, [&](const Field& section) { write_state(section, out); });
  out += R"(,"metadata":)";
  append_sections(out, document, [&](const Field& section) { write_metadata(section, out); });
  if (document.exists()) append_version(out, document.version);
  out += '}';
}

// What was sent, and the time of each of its fields.
std::string accepted(const Update& update, std::uint64_t version, const Token& token, Seconds now) {
  std::string out = R"({"state":)";
  json::write(out, *update.state);
  out += R"(,"metadata":{)";
  bool any = false;
  for (const auto& [name, section] :
       {std::pair{"desired", update.desired}, std::pair{"reported", update.reported}}) {
    if (section == nullptr || section->is_null()) continue;
    if (std::exchange(any, true)) out += ',';
    ((out += '"') += name) += "\":";
    write_metadata(*section, now, out);
  }
  out += '}';
  append_version(out, version);
  append_timestamp(out, now);
  append_token(out, token);
  return out += '}';
}

std::string delta(const Document& document, const Token& token, Seconds now) {
  std::string state, metadata;
  if (!write_difference(document.desired, document.reported, state, metadata)) return {};
  std::string out = R"({"version":)" + std::to_string(document.version);
  append_timestamp(out, now);
  ((out += R"(,"state":)") += state) += R"(,"metadata":)";
  out += metadata;
  append_token(out, token);
  return out += '}';
}

std::string documents(const std::string& previous, const Document& current, const Token& token,
                      Seconds now) {
  std::string out = R"({"previous":)" + previous + R"(,"current":)";
  append_view(out, current);
  append_timestamp(out, now);
  append_token(out, token);
  return out += '}';
}

void change(Field& section, const json::Value* request, Seconds now) {
  if (request == nullptr) return;
  if (request->is_null()) {
    section.members.clear();
  } else {
    merge(section, request->get_object(), now);
  }
}

// Without what has been forgotten.
Document remembering(Document document, Seconds now) {
  return forgotten(document, now) ? Document() : std::move(document);
}

Rejection nothing(std::string_view name) {
  return {404, "No shadow exists with name: '" + std::string(name) + "'"};
}

// What an object must be given to become `wanted`.
bj::object patch(const Field& is, const bj::object& wanted) {
  bj::object out;
  for (const Field& field : is.members)
    if (!wanted.contains(field.name)) out.emplace(field.name, nullptr);
  for (const auto& pair : wanted) {
    const auto at =
        std::ranges::lower_bound(is.members, std::string_view(pair.key()), {}, &Field::name);
    const bool here = at != is.members.end() && at->name == std::string_view(pair.key());
    if (pair.value().is_object()) {
      bj::object inner = patch(here ? *at : Field(), pair.value().get_object());
      if (!inner.empty()) out.emplace(pair.key(), std::move(inner));
    } else if (!here || at->value != json::write(pair.value())) {
      out.emplace(pair.key(), pair.value());
    }
  }
  return out;
}

}  // namespace

Answer<Update> read_update(std::string_view text, const Limits& limits, Token& token) {
  auto read = read_object(text, limits);
  if (!read) return read.error();
  Update update;
  update.document = std::make_shared<const json::Value>(*std::move(read));
  const bj::object& object = update.document->get_object();
  auto named = token_of(object);
  if (!named) return named.error();
  token = *std::move(named);
  if (const bj::value* version = object.if_contains("version"); version != nullptr) {
    if (const std::int64_t* number = version->if_int64(); number != nullptr && *number >= 0) {
      update.version = static_cast<std::uint64_t>(*number);
    } else if (const std::uint64_t* large = version->if_uint64()) {
      update.version = *large;
    } else {
      return Rejection{400, "Invalid version"};
    }
  }
  update.state = object.if_contains("state");
  if (update.state == nullptr) return Rejection{400, "Missing required node: state"};
  if (update.state->is_null()) {
    update.desired = update.reported = update.state;
    return update;
  }
  const bj::object* state = update.state->if_object();
  if (state == nullptr) return Rejection{400, "State node must be an object"};
  if (auto bad = read_section(*state, "desired", "Desired", limits, update.desired)) return *bad;
  if (auto bad = read_section(*state, "reported", "Reported", limits, update.reported)) return *bad;
  const std::size_t known =
      (update.desired != nullptr ? 1U : 0U) + (update.reported != nullptr ? 1U : 0U);
  if (state->size() != known) return invalid_node();
  return update;
}

Answer<Token> read_get(std::string_view text, const Limits& limits) {
  if (text.empty()) return Token();
  const auto read = read_object(text, limits);
  if (!read) return read.error();
  return token_of(read->get_object());
}

Token token_of_delete(std::string_view text, const Limits& limits) {
  const auto token = read_get(text, limits);
  return token ? *token : Token();
}

Answer<Changed> update(Document document, const Update& update, const Token& token, Seconds now,
                       const Limits& limits) {
  document = remembering(std::move(document), now);
  if (update.version && *update.version != document.version)
    return Rejection{409, "Version conflict"};
  std::string previous;
  append_view(previous, document);
  document.deleted = false;
  document.changed = now;
  ++document.version;
  change(document.desired, update.desired, now);
  change(document.reported, update.reported, now);
  std::string state;
  append_sections(state, document, [&](const Field& section) { write_state(section, state); });
  if (state.size() > limits.state_bytes) return too_large();
  Changed changed;
  changed.accepted = accepted(update, document.version, token, now);
  changed.delta = delta(document, token, now);
  changed.documents = documents(previous, document, token, now);
  json::write(changed.change, *update.state);
  changed.state = std::move(state);
  changed.document = std::move(document);
  return changed;
}

Answer<Changed> remove(Document document, const Token& token, Seconds now, std::string_view name) {
  document = remembering(std::move(document), now);
  if (!document.exists()) return nothing(name);
  Changed changed;
  changed.accepted = R"({"version":)" + std::to_string(document.version);
  append_timestamp(changed.accepted, now);
  append_token(changed.accepted, token);
  changed.accepted += '}';
  changed.document.version = document.version + 1;
  changed.document.changed = now;
  changed.document.deleted = true;
  return changed;
}

Answer<std::string> get(const Document& document, const Token& token, Seconds now,
                        std::string_view name) {
  if (!document.exists()) return nothing(name);
  std::string state, metadata;
  const bool differs = write_difference(document.desired, document.reported, state, metadata);
  std::string out = R"({"state":)";
  append_sections(out, document, [&](const Field& section) { write_state(section, out); });
  if (differs) {
    out.back() = ',';  // behind desired
    ((out += R"("delta":)") += state) += '}';
  }
  out += R"(,"metadata":)";
  append_sections(out, document, [&](const Field& section) { write_metadata(section, out); });
  append_version(out, document.version);
  append_timestamp(out, now);
  append_token(out, token);
  return out += '}';
}

Update restoring(const Document& document, const json::Value& earlier) {
  bj::object state;
  const bj::object nothing;
  for (const auto& [name, section] :
       {std::pair{"desired", &document.desired}, std::pair{"reported", &document.reported}}) {
    const bj::value* was = earlier.is_object() ? earlier.get_object().if_contains(name) : nullptr;
    bj::object wanted =
        patch(*section, was != nullptr && was->is_object() ? was->get_object() : nothing);
    if (!wanted.empty()) state.emplace(name, std::move(wanted));
  }
  Update update;
  update.document = std::make_shared<const json::Value>(std::move(state));
  update.state = update.document.get();
  update.desired = update.state->get_object().if_contains("desired");
  update.reported = update.state->get_object().if_contains("reported");
  return update;
}

std::string rejected(const Rejection& rejection, const Token& token) {
  std::string out = R"({"code":)" + std::to_string(rejection.code) + R"(,"message":)";
  append_json(out, rejection.message);
  append_token(out, token);
  return out += '}';
}

bool forgotten(const Document& document, Seconds now) {
  return document.deleted && now >= document.changed + remembered;
}

}  // namespace gnomon::shadow
