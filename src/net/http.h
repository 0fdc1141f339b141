// HTTP/1.1 for small answers: requests and responses independent of the wire version. Boost.Beast's
// parser stays in http.cc.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/loop.h"

namespace gnomon::net {

struct Header {
  std::string name, value;
};

struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent: "/metrics?x=1"
  std::vector<Header> headers;
  std::string body;
  // The value of the first header `name` (case-insensitive), or "".
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] std::string_view path() const;  // target before '?'
};

struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
};

// HttpServer: serves one listener's connections on one loop: keep-alive, pipelining in order, a
// bounded request (head 16 KiB, body 64 KiB: 431, 413), a bounded number of connections and an idle
// time-out. A client that does not take its answers gets no further ones until it does. The handler
// answers now or later, on the loop's thread; an answer is given to nobody if its request was
// answered before or its connection is gone. The Request is valid during the handler's call.
// Owner: the loop's thread; stop() or destruction closes all. A handler may call stop().
class HttpServer {
 public:
  using Respond = std::function<void(Response)>;
  using Handler = std::function<void(const Request&, Respond)>;

  HttpServer(runtime::Loop& loop, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Errors: unavailable, as Loop::listen.
  Result<runtime::Address> listen(const runtime::Address& address);
  void stop();

  struct State;  // http.cc

 private:
  std::unique_ptr<State> state_;
};

}  // namespace gnomon::net
