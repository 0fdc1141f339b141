// gnomon shadow: what a device is to be and says it is, by whom, and what it was before.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"

namespace gnomon::cli {

namespace {

namespace bj = boost::json;

// Which shadow, and where: what all parts have in common.
struct Shadow {
  std::optional<std::string> thing, name;
  ApiArguments api;

  void declare(Arguments& arguments) {
    arguments.text("THING", "", "The name of the thing", thing);
    arguments.text("--name", "SHADOW", "A named shadow; without it the classic one", name);
  }
  [[nodiscard]] bj::object input() const {
    bj::object input{{"thingName", *thing}};
    if (name) input["shadowName"] = *name;
    return input;
  }
};

// Calls the server and does with it what the part does; the exit code.
template <class F>
int serve_part(const char* part, const Shadow& shadow, F&& act) {
  set_log_level(LogLevel::error);
  const auto done = [&]() -> Result<void> {
    const auto server = shadow.api.find();
    if (!server) return server.error();
    auto client = ApiClient::make(*server);
    if (!client) return client.error();
    return act(*client);
  }();
  if (!done) {
    std::cerr << "gnomon shadow " << part << ": " << done.error().message << '\n';
    return exit_failed;
  }
  return std::cout.flush() ? exit_done : exit_failed;
}

Result<void> print(const Result<json::Value>& answer) {
  if (!answer) return answer.error();
  std::cout << json::write(*answer) << '\n';
  return {};
}

// ---- get, update

int get(Words words) {
  Shadow shadow;
  Arguments arguments("gnomon shadow get THING [options]", "Prints a device shadow, as JSON.",
                      {"gnomon shadow get lamp-1", "gnomon shadow get lamp-1 --name night"});
  shadow.declare(arguments);
  shadow.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!shadow.thing) return arguments.misuse("THING is missing");
  return serve_part("get", shadow, [&](ApiClient& client) {
    return print(client.call("iot-data", "GetThingShadow", shadow.input()));
  });
}

// The value of --desired or --reported.
std::string take_section(const std::string& text, const char* section, bj::object& state) {
  auto read = json::parse(text);
  if (!read) return "must be a JSON object or null: " + read.error().message;
  if (!read->is_object() && !read->is_null())
    return "must be a JSON object or null, as {\"on\":true}";
  state[section] = *std::move(read);
  return {};
}

int update(Words words) {
  Shadow shadow;
  bj::object state;
  std::uint64_t version = 0;
  Arguments arguments(
      "gnomon shadow update THING --desired JSON | --reported JSON [options]",
      "Changes the fields that are given, and prints what was accepted. A field that "
      "is null is taken away, and a section that is null with all its fields.",
      {R"(gnomon shadow update lamp-1 --desired '{"on":true}')",
       R"(gnomon shadow update lamp-1 --reported '{"on":null}' --version 7)"});
  shadow.declare(arguments);
  for (const char* section : {"desired", "reported"}) {
    arguments.option(
        std::string("--") + section, "JSON",
        std::string("Fields of ") + section + ", an object, or null",
        [&state, section](const std::string& text) { return take_section(text, section, state); });
  }
  arguments.number("--version", "N", "Only if this is its version", version, 1, INT64_MAX);
  shadow.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!shadow.thing) return arguments.misuse("THING is missing");
  if (state.empty()) return arguments.misuse("--desired or --reported must say what to change");
  return serve_part("update", shadow, [&](ApiClient& client) {
    bj::object document{{"state", state}};
    if (version != 0) document["version"] = version;
    bj::object input = shadow.input();
    input["payload"] = json::write(document);
    return print(client.call("iot-data", "UpdateThingShadow", input));
  });
}

// ---- history, diff, restore

// A version as the server lists it.
struct Version {
  std::int64_t number = 0;
  WallTime at;
  std::string kind, source, principal, client_id, change, state;
};

Result<std::vector<Version>> versions_of(ApiClient& client, const Shadow& shadow) {
  const auto answer = client.call("gnomon", "ListShadowVersions", shadow.input());
  if (!answer) return answer.error();
  std::vector<Version> versions;
  for (const json::Value& each : answer->as_object().at("versions").as_array()) {
    versions.push_back({each.at("version").to_number<std::int64_t>(),
                        {static_cast<std::int64_t>(each.at("time").to_number<double>() * 1000)},
                        text_of(each, "kind"),
                        text_of(each, "source"),
                        text_of(each, "principal"),
                        text_of(each, "clientId"),
                        text_of(each, "change"),
                        text_of(each, "state")});
  }
  return versions;
}

// What a client has chosen, without what a terminal would obey.
std::string shown(const std::string& text) {
  const std::string quoted = json_text(text);
  return quoted.substr(1, quoted.size() - 2);
}

int history(Words words) {
  Shadow shadow;
  bool as_json = false;
  Arguments arguments(
      "gnomon shadow history THING [options]",
      "Lists the last versions of a device shadow, the newest first: when, how and by whom each "
      "was "
      "made, and what was set.",
      {"gnomon shadow history lamp-1", "gnomon shadow history lamp-1 --name night --json"});
  shadow.declare(arguments);
  arguments.flag("--json", as_json, "Print JSON, one object a line, with the state of each");
  shadow.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!shadow.thing) return arguments.misuse("THING is missing");
  return serve_part("history", shadow, [&](ApiClient& client) -> Result<void> {
    const auto versions = versions_of(client, shadow);
    if (!versions) return versions.error();
    for (const Version& each : *versions) {
      if (as_json) {
        std::cout << json::write(bj::object{{"version", each.number},
                                            {"time", to_string(each.at)},
                                            {"kind", each.kind},
                                            {"source", each.source},
                                            {"principal", each.principal},
                                            {"clientId", each.client_id},
                                            {"change", each.change},
                                            {"state", each.state}})
                  << '\n';
        continue;
      }
      std::cout << each.number << "  " << to_string(each.at) << "  " << each.kind << " by "
                << shown(each.principal);
      if (!each.client_id.empty()) std::cout << " as " << shown(each.client_id);
      std::cout << " over " << each.source;
      if (each.kind == "update")
        std::cout << "  " << (each.change.empty() ? "(too long to be kept)" : each.change);
      std::cout << '\n';
    }
    return {};
  });
}

// Each value of a state by its path: {"desired.on": "true"}.
using Values = std::map<std::string, std::string>;
void collect(const json::Value& value, const std::string& path, Values& values) {
  const bj::object* object = value.if_object();
  if (object == nullptr) {
    values[path] = json::write(value);
    return;
  }
  for (const auto& [name, each] : *object)
    collect(each, path.empty() ? std::string(name) : path + '.' + std::string(name), values);
}
Result<Values> values_of(const std::vector<Version>& versions, std::int64_t number) {
  const auto found = std::ranges::find(versions, number, &Version::number);
  if (found == versions.end()) {
    return Error{Code::not_found, "version " + std::to_string(number) + " is not kept: there are " +
                                      std::to_string(versions.back().number) + " to " +
                                      std::to_string(versions.front().number)};
  }
  Values values;
  if (found->state.empty()) return values;  // a deletion
  const auto state = json::parse(found->state);
  if (!state) return state.error();
  collect(*state, "", values);
  return values;
}

int diff(Words words) {
  Shadow shadow;
  std::uint64_t from = 0, to = 0;
  Arguments arguments(
      "gnomon shadow diff THING --from VERSION [--to VERSION] [options]",
      "Tells what differs between two versions of a device shadow: a line for each "
      "value that was there (-) or is there now (+).",
      {"gnomon shadow diff lamp-1 --from 5", "gnomon shadow diff lamp-1 --from 5 --to 7"});
  shadow.declare(arguments);
  arguments.number("--from", "VERSION", "The version before", from, 1, INT64_MAX);
  arguments.number("--to", "VERSION", "The version after; without it the newest", to, 1, INT64_MAX);
  shadow.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!shadow.thing) return arguments.misuse("THING is missing");
  if (from == 0) return arguments.misuse("--from is missing");
  return serve_part("diff", shadow, [&](ApiClient& client) -> Result<void> {
    const auto versions = versions_of(client, shadow);
    if (!versions) return versions.error();
    const auto before = values_of(*versions, static_cast<std::int64_t>(from));
    if (!before) return before.error();
    const auto after =
        values_of(*versions, to == 0 ? versions->front().number : static_cast<std::int64_t>(to));
    if (!after) return after.error();
    Values all = *before;
    all.insert(after->begin(), after->end());
    for (const auto& [path, _] : all) {
      const auto was = before->find(path), is = after->find(path);
      const bool both = was != before->end() && is != after->end();
      if (both && was->second == is->second) continue;
      if (was != before->end()) std::cout << "- " << path << ' ' << was->second << '\n';
      if (is != after->end()) std::cout << "+ " << path << ' ' << is->second << '\n';
    }
    return {};
  });
}

int restore_shadow(Words words) {
  Shadow shadow;
  std::uint64_t version = 0;
  Arguments arguments(
      "gnomon shadow restore THING --version VERSION [options]",
      "Makes a device shadow what it was at an earlier version. That is a new version "
      "itself: nothing is taken back that others have seen.",
      {"gnomon shadow restore lamp-1 --version 5"});
  shadow.declare(arguments);
  arguments.number("--version", "VERSION", "Which of those in its history", version, 1, INT64_MAX);
  shadow.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!shadow.thing) return arguments.misuse("THING is missing");
  if (version == 0) return arguments.misuse("--version is missing");
  return serve_part("restore", shadow, [&](ApiClient& client) -> Result<void> {
    bj::object input = shadow.input();
    input["version"] = version;
    const auto answer = client.call("gnomon", "RestoreShadow", input);
    if (!answer) return answer.error();
    std::cout << *shadow.thing << ": version " << answer->as_object().at("version")
              << " is as version " << version << " was\n";
    return {};
  });
}

}  // namespace

std::vector<std::string_view> shadow_parts() {
  return {"get", "update", "history", "diff", "restore"};
}

int shadow(Words words) {
  constexpr std::pair<std::string_view, int (*)(Words)> parts[] = {{"get", get},
                                                                   {"update", update},
                                                                   {"history", history},
                                                                   {"diff", diff},
                                                                   {"restore", restore_shadow}};
  for (const auto& [name, run] : parts)
    if (!words.empty() && words[0] == name) return run(words.subspan(1));
  Arguments arguments("gnomon shadow get|update|history|diff|restore THING [options]",
                      "Reads and changes device shadows. Each part has --help.",
                      {"gnomon shadow get lamp-1", "gnomon shadow history lamp-1"});
  if (const auto code = arguments.read(words)) return *code;
  return arguments.misuse("what to do is missing: get, update, history, diff or restore");
}

}  // namespace gnomon::cli
