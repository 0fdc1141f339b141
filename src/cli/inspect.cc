// gnomon clients, client, kick, subscriptions, retained: what a running server tells over its admin
// listener, as a table or as JSON.
#include <algorithm>
#include <functional>
#include <iostream>
#include <utility>

#include "base/json_text.h"
#include "cli/admin_client.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/table.h"

namespace gnomon::cli {

namespace {

// What these commands have in common.
struct Wanted {
  std::string command;
  std::string admin = "127.0.0.1:8080";
  bool json = false;
  std::uint64_t limit = 0;  // 0: all

  void declare(Arguments& arguments, bool pages) {
    arguments.text("--admin", "HOST:PORT", "The server's admin listener; 127.0.0.1:8080", admin);
    arguments.flag("--json", json, "Print JSON, an object a line");
    if (pages) {
      arguments.number("--limit", "N", "List so many at most", limit, 1, 1'000'000'000);
    }
  }
  int fail(const std::string& what) const {
    std::cerr << command << ": " << what << '\n';
    return exit_failed;
  }
  // The server's answer, or what it says is wrong.
  [[nodiscard]] Result<Json> ask(const std::string& method, const std::string& target) const {
    auto answer = cli::ask(admin, method, target);
    if (!answer) return answer.error();
    while (answer->text.ends_with('\n')) answer->text.pop_back();
    if (answer->status != 200) return Error{Code::unavailable, answer->text};
    auto value = read_json(answer->text);
    if (!value) return Error{Code::unavailable, admin + " did not answer with JSON"};
    return std::move(*value);
  }
};

// The JSON of a value, on one line.
void append(std::string& out, const Json& value);
void append_members(std::string& out, const Json& value, bool named) {
  bool first = true;
  for (const auto& [name, member] : value.members) {
    if (!std::exchange(first, false)) out += ',';
    if (named) (out += json_text(name)) += ':';
    append(out, member);
  }
}
void append(std::string& out, const Json& value) {
  switch (value.kind) {
    case Json::Kind::null:
      out += "null";
      break;
    case Json::Kind::boolean:
    case Json::Kind::number:
      out += value.text;
      break;
    case Json::Kind::string:
      out += json_text(value.text);
      break;
    case Json::Kind::array:
      out += '[';
      append_members(out, value, false);
      out += ']';
      break;
    case Json::Kind::object:
      out += '{';
      append_members(out, value, true);
      out += '}';
      break;
  }
}

bool print_json(const Json& value) {
  std::string line;
  append(line, value);
  return static_cast<bool>(std::cout << line << '\n');
}

using Row = std::vector<std::string>;

// Gets page after page of `list` and prints each.
int print_pages(const Wanted& wanted, const std::string& list, const std::string& query, Row head,
                const std::function<Row(const Json&)>& row) {
  Table table(std::move(head));
  std::string after;
  std::uint64_t left = wanted.limit == 0 ? UINT64_MAX : wanted.limit;
  do {
    std::string target =
        '/' + list + "?limit=" + std::to_string(std::min<std::uint64_t>(left, 500));
    if (!after.empty()) target += "&after=" + encoded(after);
    const auto page = wanted.ask("GET", target + query);
    if (!page) return wanted.fail(page.error().message);
    const Json* entries = page->find(list);
    if (entries == nullptr) return wanted.fail("the answer has no " + list);
    for (const auto& [name, entry] : entries->members) {
      if (left == 0) break;
      --left;
      if (wanted.json) {
        if (!print_json(entry)) return wanted.fail("standard output cannot be written");
      } else {
        table.add(row(entry));
      }
    }
    after = page->get("next");
    if (!wanted.json) table.print(std::cout);
  } while (!after.empty() && left > 0);
  return std::cout.flush() ? exit_done : wanted.fail("standard output cannot be written");
}

std::string duration(std::string_view seconds) {
  std::uint64_t left = 0;
  for (const char c : seconds) left = left * 10 + static_cast<std::uint64_t>(c - '0');
  if (seconds.empty()) return "";
  if (left < 120) return std::to_string(left) + "s";
  if (left < 7200) return std::to_string(left / 60) + "m";
  if (left < 172'800) return std::to_string(left / 3600) + "h";
  return std::to_string(left / 86'400) + "d";
}

// "2023-11-14T22:13:20Z"
std::string utc(std::string_view milliseconds) {
  return to_string(read_wall_time(milliseconds)).substr(0, 19) + 'Z';
}

std::string text(std::string_view value) { return std::string(value); }

}  // namespace

int clients(Words words) {
  Wanted wanted{"gnomon clients"};
  Arguments arguments("gnomon clients [options]",
                      "Lists the clients of a running server: those that are connected, then "
                      "sessions that are kept and away.",
                      {"gnomon clients", "gnomon clients --json --limit 10"});
  wanted.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  return print_pages(
      wanted, "clients", "",
      {"CLIENT", "STATE", "ADDRESS", "MQTT", "SESSION", "SUBSCRIPTIONS", "QUEUED", "IDLE"},
      [](const Json& each) -> Row {
        const bool connected = each.get("connected") == "true";
        return {text(each.get("client_id")),
                connected ? "connected" : "away",
                text(each.get("address")),
                text(each.get("version")),
                each.get("persistent") == "true" ? "kept" : "clean",
                text(each.get("subscriptions")),
                text(each.get("queued")),
                duration(each.get(connected ? "idle_seconds" : "gone_seconds"))};
      });
}

int client(Words words) {
  Wanted wanted{"gnomon client"};
  std::string id;
  Arguments arguments("gnomon client ID [options]", "Tells all about one client.",
                      {"gnomon client lamp-1", "gnomon client lamp-1 --json"});
  arguments.text("ID", "", "The client id", id);
  wanted.declare(arguments, false);
  if (const auto code = arguments.read(words)) return *code;
  if (id.empty()) return arguments.misuse("ID is missing: which client?");
  const auto found = wanted.ask("GET", "/clients/" + encoded(id));
  if (!found) return wanted.fail(found.error().message);
  if (wanted.json) return print_json(*found) && std::cout.flush() ? exit_done : exit_failed;
  Table table({});
  for (const auto& [name, value] : found->members) {
    if (name != "filters") table.add({name, value.text});
  }
  table.print(std::cout);
  Table filters({"FILTER", "QOS", "ID"});
  for (const auto& [name, each] : found->find("filters")->members) {
    filters.add({text(each.get("filter")), text(each.get("qos")), text(each.get("identifier"))});
  }
  if (!found->find("filters")->members.empty()) filters.print(std::cout << '\n');
  return std::cout.flush() ? exit_done : exit_failed;
}

int kick(Words words) {
  Wanted wanted{"gnomon kick"};
  std::string id;
  Arguments arguments(
      "gnomon kick ID [options]",
      "Ends the connection of a client: MQTT 5 ones hear \"administrative action\". "
      "Its session stays, its will is published, and it may come back.",
      {"gnomon kick lamp-1"});
  arguments.text("ID", "", "The client id", id);
  wanted.declare(arguments, false);
  if (const auto code = arguments.read(words)) return *code;
  if (id.empty()) return arguments.misuse("ID is missing: which client?");
  const auto done = wanted.ask("DELETE", "/clients/" + encoded(id));
  if (!done) return wanted.fail(done.error().message);
  if (wanted.json) return print_json(*done) && std::cout.flush() ? exit_done : exit_failed;
  return exit_done;
}

int subscriptions(Words words) {
  Wanted wanted{"gnomon subscriptions"};
  Arguments arguments("gnomon subscriptions [options]",
                      "Lists who subscribes to what at a running server.",
                      {"gnomon subscriptions", "gnomon subscriptions --json | grep '\"lamp/'"});
  wanted.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  return print_pages(
      wanted, "subscriptions", "", {"CLIENT", "QOS", "FILTER"}, [](const Json& each) -> Row {
        return {text(each.get("client_id")), text(each.get("qos")), text(each.get("filter"))};
      });
}

int retained(Words words) {
  Wanted wanted{"gnomon retained"};
  std::string filter = "#";
  Arguments arguments("gnomon retained [FILTER] [options]",
                      "Lists the retained messages of a running server, and how their payloads "
                      "begin.",
                      {"gnomon retained", "gnomon retained 'lamp/+/state' --json"});
  arguments.text("FILTER", "", "Those whose topics match; all", filter);
  wanted.declare(arguments, true);
  if (const auto code = arguments.read(words)) return *code;
  return print_pages(wanted, "retained", "&filter=" + encoded(filter),
                     {"TOPIC", "QOS", "BYTES", "RECEIVED", "PAYLOAD"}, [](const Json& each) -> Row {
                       return {text(each.get("topic")), text(each.get("qos")),
                               text(each.get("bytes")), utc(each.get("received_ms")),
                               text(each.get("payload"))};
                     });
}

}  // namespace gnomon::cli
