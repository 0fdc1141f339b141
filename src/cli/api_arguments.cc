// Where the AWS API is: of a data folder, or as the environment says.
#include <filesystem>

#include "cli/api_client.h"
#include "cli/config_arguments.h"
#include "server/secrets.h"
#include "store/durable_file.h"

namespace gnomon::cli {

namespace {

constexpr std::size_t ca_bytes_max = 1 * MiB;

std::string variable(const char* name) { return environment(name).value_or(""); }

// Where a listener is reached on this machine. The server's certificate is for localhost.
std::string reachable(const std::string& listening) {
  auto address = runtime::parse_address(listening);
  if (!address) return listening;
  if (address->host == "0.0.0.0" || address->host == "::") address->host = "localhost";
  return to_string(*address);
}

Result<void> read_url(ApiServer& server, const std::string& url) {
  const Error wrong{Code::invalid, "the endpoint \"" + url +
                                       "\" must be http://HOST[:PORT] or https://HOST[:PORT]"};
  std::string rest;
  if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else if (url.starts_with("https://")) {
    rest = url.substr(8);
    server.tls = true;
  } else {
    return wrong;
  }
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.find_first_of("/?#@") != std::string::npos) return wrong;
  server.url = (server.tls ? "https://" : "http://") + rest;
  const bool has_port = rest.rfind(':') != std::string::npos && !rest.ends_with(']');
  auto address = runtime::parse_address(has_port ? rest : rest + (server.tls ? ":443" : ":80"));
  if (!address) return wrong;
  server.at = std::move(*address);
  return {};
}

Result<void> read_ca(ApiServer& server) {
  if (server.ca.empty()) return {};
  auto text = store::read_file(server.ca, ca_bytes_max);
  if (!text) return text.error();
  server.ca = std::filesystem::absolute(server.ca).lexically_normal().string();
  server.authorities = std::move(*text);
  return {};
}

Result<ApiServer> find_in(const std::string& folder, bool prefer_tls) {
  auto running = server::find_server(folder);
  if (!running) return running.error();
  auto key = server::read_access_key(folder, environment);
  if (!key) return key.error();
  ApiServer found;
  const bool secure = !running->http || (prefer_tls && !running->https.empty());
  if (secure && running->https.empty()) {
    return Error{Code::not_found, "the server on " + folder +
                                      " has its listeners http and https off: the AWS API is "
                                      "nowhere (settings listen.http, listen.https)"};
  }
  const std::string url =
      secure ? "https://" + reachable(running->https[0]) : "http://" + reachable(*running->http);
  if (auto read = read_url(found, url); !read) return read.error();
  found.ca = running->ca;
  if (auto read = read_ca(found); !read) return read.error();
  found.region = running->region;
  found.access_key_id = key->id;
  found.secret = key->secret;
  found.local = std::move(*running);
  return found;
}

Result<ApiServer> find_at(const std::string& endpoint, const std::optional<std::string>& cafile) {
  ApiServer found;
  if (auto read = read_url(found, endpoint); !read) return read.error();
  found.ca = cafile.value_or(variable("AWS_CA_BUNDLE"));
  if (auto read = read_ca(found); !read) return read.error();
  found.region = variable("AWS_REGION");
  if (found.region.empty()) found.region = variable("AWS_DEFAULT_REGION");
  if (found.region.empty()) found.region = "us-east-1";
  found.access_key_id = variable("AWS_ACCESS_KEY_ID");
  found.secret = variable("AWS_SECRET_ACCESS_KEY");
  found.security_token = variable("AWS_SESSION_TOKEN");
  if (!found.access_key_id.empty() && !found.secret.empty()) return found;
  return Error{Code::invalid,
               "with --endpoint the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say who "
               "calls, and they are not both set"};
}

}  // namespace

void ApiArguments::declare(Arguments& arguments, bool elsewhere) {
  arguments.text("--data", "DIR",
                 "The data folder of the running server; GNOMON_DATA, or ./gnomon-data", data);
  if (!elsewhere) return;
  arguments.text("--endpoint", "URL",
                 "In place of --data: the server there, with the key in AWS_ACCESS_KEY_ID and "
                 "AWS_SECRET_ACCESS_KEY",
                 endpoint);
  arguments.text("--cafile", "FILE",
                 "With --endpoint: the root certificate of that server; AWS_CA_BUNDLE", cafile);
}

std::string ApiArguments::folder() const {
  const std::string named = data.value_or(variable("GNOMON_DATA"));
  return named.empty() ? "./gnomon-data" : named;
}

Result<ApiServer> ApiArguments::find(bool prefer_tls) const {
  if (!endpoint) return find_in(folder(), prefer_tls);
  if (data) {
    return Error{Code::invalid, "only one of --data and --endpoint says which server is meant"};
  }
  return find_at(*endpoint, cafile);
}

}  // namespace gnomon::cli
