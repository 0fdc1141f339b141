// gnomon search: the things of the fleet that a query matches.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include <boost/json.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace gnomon::cli {

namespace {

namespace bj = boost::json;

struct SearchFor {
  std::optional<std::string> query;
  std::uint64_t limit = 0;  // 0: all
  bool count = false, json = false, groups = false;
  ApiArguments api;
};

std::string joined(const bj::value* list) {
  std::string all;
  if (list == nullptr) return all;
  for (const bj::value& each : list->as_array())
    (all += all.empty() ? "" : ",") += std::string_view(each.as_string());
  return all;
}

// "yes", "no CONNECTION_LOST"; "-": it is not indexed.
std::string connected(const bj::object& thing) {
  const bj::value* is = thing.if_contains("connectivity");
  if (is == nullptr) return "-";
  if (is->at("connected").as_bool()) return "yes";
  const std::string reason = text_of(*is, "disconnectReason");
  return reason.empty() ? "no" : "no " + reason;
}

void add(Table& table, const bj::value& item, bool groups) {
  const bj::object& object = item.as_object();
  std::string attributes;
  if (const bj::value* all = object.if_contains("attributes")) {
    for (const auto& [name, value] : all->as_object()) {
      attributes += attributes.empty() ? "" : ",";
      attributes += std::string(name) + '=' + std::string(std::string_view(value.as_string()));
    }
  }
  if (groups) {
    return table.add({text_of(item, "thingGroupName"),
                      joined(object.if_contains("parentGroupNames")), attributes});
  }
  table.add({text_of(item, "thingName"), text_of(item, "thingTypeName"), connected(object),
             joined(object.if_contains("thingGroupNames")), attributes});
}

// A page after the other.
Result<void> print_found(ApiClient& client, const SearchFor& wanted) {
  bj::object input{{"queryString", *wanted.query}};
  if (wanted.groups) input["indexName"] = "AWS_ThingGroups";
  Table table(wanted.groups
                  ? std::vector<std::string>{"GROUP", "PARENTS", "ATTRIBUTES"}
                  : std::vector<std::string>{"THING", "TYPE", "CONNECTED", "GROUPS", "ATTRIBUTES"});
  std::uint64_t left = wanted.limit == 0 ? UINT64_MAX : wanted.limit;
  while (left > 0) {
    input["maxResults"] = std::min<std::uint64_t>(left, limits::search_page_max);
    const auto answer = client.iot("SearchIndex", input);
    if (!answer) return answer.error();
    const bj::object& page = answer->as_object();
    const bj::array& items = page.at(wanted.groups ? "thingGroups" : "things").as_array();
    for (const bj::value& item : items) {
      if (wanted.json) {
        std::cout << json::write(item) << '\n';
      } else {
        add(table, item, wanted.groups);
      }
    }
    if (!wanted.json) table.print(std::cout);
    left -= std::min<std::uint64_t>(left, items.size());
    const std::string token = text_of(*answer, "nextToken");
    if (token.empty() || !std::cout.flush()) return {};
    input["nextToken"] = token;
  }
  return {};
}

Result<void> print_count(ApiClient& client, const SearchFor& wanted) {
  const auto answer = client.iot(
      "GetStatistics",
      bj::object{{"queryString", *wanted.query}, {"aggregationField", "registry.version"}});
  if (!answer) return answer.error();
  std::cout << answer->at("statistics").at("count") << '\n';
  return {};
}

}  // namespace

int search(Words words) {
  SearchFor wanted;
  Arguments arguments(
      "gnomon search QUERY [options]",
      "Lists the things that a query matches, as SearchIndex has it: fields of the registry, of "
      "shadows and of connections, as far as UpdateIndexingConfiguration has them indexed.",
      {"gnomon search 'thingTypeName:bulb AND connectivity.connected:false'",
       "gnomon search 'shadow.reported.temperature>50 NOT attributes.model:legacy' --json",
       "gnomon search '*' --count"});
  arguments.text("QUERY", "", "The query; '*' for all", wanted.query);
  arguments.number("--limit", "COUNT", "Not more than these", wanted.limit, 1, INT64_MAX);
  arguments.flag("--count", wanted.count, "Print only how many there are");
  arguments.flag("--json", wanted.json, "All that is known, a JSON document a line");
  arguments.flag("--groups", wanted.groups, "Thing groups in place of things");
  wanted.api.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  if (!wanted.query) return arguments.misuse("QUERY is missing ('*' stands for all)");
  if (wanted.count && wanted.groups) return arguments.misuse("--count is of things only");
  set_log_level(LogLevel::error);
  const auto done = [&]() -> Result<void> {
    const auto server = wanted.api.find();
    if (!server) return server.error();
    auto client = ApiClient::make(*server);
    if (!client) return client.error();
    return wanted.count ? print_count(*client, wanted) : print_found(*client, wanted);
  }();
  if (!done) {
    std::cerr << "gnomon search: " << done.error().message << '\n';
    return exit_failed;
  }
  return std::cout.flush() ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
