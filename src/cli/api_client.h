// Calls of the AWS API, for commands: where a server is, who calls, and what it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cli/arguments.h"
#include "cli/http_client.h"
#include "json/json.h"
#include "runtime/loop.h"
#include "server/ready_file.h"

namespace gnomon::cli {

// A server and the key that its callers sign with. A value.
struct ApiServer {
  std::string url;          // "http://127.0.0.1:4566", as AWS_ENDPOINT_URL has it
  runtime::Address at;      // the same
  bool tls = false;         // https
  std::string ca;           // the path of what to trust, absolute; "": what this machine trusts
  std::string authorities;  // what is in it, PEM
  std::string region, access_key_id, secret, security_token;  // the last: "" for keys that last
  std::optional<server::RunningServer> local;  // what runs on the folder it was found by
};

// The options of commands that call the API.
struct ApiArguments {
  std::optional<std::string> data, endpoint, cafile;

  // Declares --data; `elsewhere`: also --endpoint and --cafile. Outlives arguments.read().
  void declare(Arguments& arguments, bool elsewhere);
  // The server on the data folder, with the folder's key: its `http` listener, or the `https` one
  // if that is off or `prefer_tls`. With --endpoint the one there, with the key, region and root
  // certificate of AWS's variables. Errors: as server::find_server() and read_access_key();
  // invalid (the endpoint, half a key), not_found (no such listener).
  [[nodiscard]] Result<ApiServer> find(bool prefer_tls = false) const;
  // GNOMON_DATA if --data is not given, ./gnomon-data if that is not set.
  [[nodiscard]] std::string folder() const;
};

// ApiClient: calls, one connection each. Blocks.
class ApiClient {
 public:
  // Errors: invalid (what is to be trusted is no certificate).
  static Result<ApiClient> make(const ApiServer& server);

  // Calls "CreateThing" of "iot" with an object of its members, as handlers see it; returns the
  // document that it answers, an empty object if there is none. Errors: by the status not_found
  // (404), conflict (409), denied (403), unsupported (501), unavailable (5xx, and as exchange()),
  // invalid; the message begins with the operation.
  Result<json::Value> call(std::string_view service, std::string_view operation,
                           const json::Value& input);
  // The same of iot.
  Result<json::Value> iot(std::string_view operation, const json::Value& input);

 private:
  ApiClient(ApiServer server, HttpServerAt at) : server_(std::move(server)), at_(std::move(at)) {}
  ApiServer server_;
  HttpServerAt at_;
  SystemWallClock wall_;
};

// A string member of an answer, or "".
[[nodiscard]] std::string text_of(const json::Value& answer, std::string_view name);

}  // namespace gnomon::cli
