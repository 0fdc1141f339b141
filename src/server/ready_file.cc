#include "server/ready_file.h"

#include <unistd.h>

#include <boost/json.hpp>

#include "base/bytes.h"
#include "json/json.h"
#include "store/durable_file.h"
#include "store/folder.h"

namespace gnomon::server {

namespace {

constexpr std::size_t ready_file_bytes_max = 64 * KiB;

std::string path_in(const std::string& folder) { return folder + "/ready.json"; }

std::optional<std::string> text_of(const boost::json::object& line, std::string_view name) {
  const boost::json::value* const value = line.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

// One address or an array of them.
std::vector<std::string> texts_of(const boost::json::object& line, std::string_view name) {
  std::vector<std::string> all;
  if (auto one = text_of(line, name)) all.push_back(std::move(*one));
  const boost::json::value* const value = line.if_contains(name);
  if (value == nullptr || !value->is_array()) return all;
  for (const boost::json::value& one : value->get_array()) {
    if (one.is_string()) all.emplace_back(one.get_string());
  }
  return all;
}

Result<RunningServer> read_line(const std::string& path, const std::string& text) {
  const auto parsed = json::parse(text);
  const boost::json::object* const line = parsed ? parsed->if_object() : nullptr;
  const boost::json::value* const pid = line == nullptr ? nullptr : line->if_contains("pid");
  if (pid == nullptr || !pid->is_int64()) {
    return Error{Code::unavailable, path + " is damaged; a restart of the server writes it anew"};
  }
  return RunningServer{.mqtt = text_of(*line, "mqtt"),
                       .mqtts = text_of(*line, "mqtts"),
                       .http = text_of(*line, "http"),
                       .admin = text_of(*line, "admin"),
                       .https = texts_of(*line, "https"),
                       .ca = text_of(*line, "ca").value_or(""),
                       .account = text_of(*line, "account").value_or(""),
                       .region = text_of(*line, "region").value_or(""),
                       .pid = static_cast<int>(pid->get_int64())};
}

}  // namespace

Result<void> write_ready_file(const std::string& folder, std::string_view ready_line) {
  return store::write_file(path_in(folder), std::string(ready_line) + '\n');
}

void remove_ready_file(const std::string& folder) { ::unlink(path_in(folder).c_str()); }

Result<RunningServer> find_server(const std::string& folder) {
  const std::string path = path_in(folder);
  const Error nobody{Code::not_found, "no server runs on the data folder " + folder +
                                          ", or it is not ready yet: start one with \"gnomon "
                                          "serve\", or name the folder of the one that runs "
                                          "(--data)"};
  const auto text = store::read_file(path, ready_file_bytes_max);
  if (!text && text.error().code == Code::not_found) return nobody;
  if (!text) return Error{Code::unavailable, text.error().message};
  auto server = read_line(path, *text);
  if (server && store::holder(folder) != server->pid) return nobody;
  return server;
}

}  // namespace gnomon::server
