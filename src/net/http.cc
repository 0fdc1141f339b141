#include "net/http.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace gnomon::net {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t head_bytes_max = 16 * KiB;
constexpr std::uint64_t body_bytes_max = 64 * KiB;
constexpr std::size_t connections_max = 256;
constexpr std::size_t unanswered_bytes_max = 64 * KiB;  // pipelined behind an open request
constexpr std::chrono::seconds idle_time{30};           // between requests, and within one

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  const auto it = std::ranges::find_if(
      headers, [name](const Header& header) { return same_name(header.name, name); });
  return it == headers.end() ? std::string_view() : std::string_view(it->value);
}

std::string_view Request::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

class HttpConnection;

struct HttpServer::State {
  State(runtime::Loop& given_loop, Handler given_handler)
      : loop(given_loop), handler(std::move(given_handler)) {}
  runtime::Loop& loop;
  Handler handler;
  std::unique_ptr<runtime::Listener> listener;
  std::map<std::uint64_t, std::unique_ptr<HttpConnection>> connections;
  std::uint64_t next_number = 1;
  // Answers that come late find out through it that the server is gone.
  std::shared_ptr<State*> alive = std::make_shared<State*>(this);
};

// HttpConnection: one request at a time; what is pipelined behind it waits for its answer.
// Owner: the server's State, through its number.
class HttpConnection final : public runtime::StreamHandler, private runtime::Timer {
 public:
  HttpConnection(HttpServer::State& server, std::uint64_t number)
      : server_(server), number_(number) {}
  ~HttpConnection() override = default;

  void open(runtime::StreamPtr stream) {
    stream_ = std::move(stream);
    begin_request();
  }
  void answer(const Response& response) {
    write(response, keep_alive_);
    if (!keep_alive_) return remove();
    begin_request();
    stream_->resume();
    parse();
  }

 private:
  void on_bytes(ByteView bytes) override {
    in_.append(bytes);
    if (!answering_) return parse();
    if (in_.size() > unanswered_bytes_max) stream_->pause();
  }
  void on_ended(runtime::Ended) override { remove(); }
  void on_timer() override { remove(); }

  void begin_request() {
    parser_.emplace();
    parser_->header_limit(head_bytes_max);
    parser_->body_limit(body_bytes_max);
    parser_->eager(true);
    answering_ = false;
    server_.loop.timers().arm(*this, server_.loop.now() + idle_time);
  }

  void parse() {
    boost::beast::error_code error;
    while (!in_.empty() && !parser_->is_done()) {
      const std::size_t used =
          parser_->put(boost::asio::const_buffer(in_.data(), in_.size()), error);
      in_.consume(used);
      if (error == http::error::need_more) return;
      if (error) return refuse(error);
    }
    if (parser_->is_done()) handle();
  }

  void refuse(const boost::beast::error_code& error) {
    int status = 400;
    if (error == http::error::header_limit) status = 431;
    if (error == http::error::body_limit) status = 413;
    write({status, {{"Content-Type", "text/plain"}}, error.message() + "\n"}, false);
    remove();
  }

  void handle() {
    disarm();
    answering_ = true;
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.body = std::move(message.body());
    for (const auto& field : message) {
      request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    is_head_ = request.method == "HEAD";
    server_.handler(request, [alive = std::weak_ptr(server_.alive),
                              number = number_](const Response& response) {
      const auto server = alive.lock();
      if (server == nullptr) return;
      const auto it = (*server)->connections.find(number);
      if (it != (*server)->connections.end()) it->second->answer(response);
    });
  }

  void write(const Response& response, bool keep_alive) {
    const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ' + std::string(reason);
    for (const Header& header : response.headers) {
      head += "\r\n" + header.name + ": " + header.value;
    }
    head += "\r\nContent-Length: " + std::to_string(response.body.size());
    head += keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
    stream_->output().append(head);
    if (!is_head_) stream_->output().append(response.body);
    stream_->flush();
  }

  // Ends it, after its output is written. It may be in a call of its own: freed in a later turn.
  void remove() {
    disarm();
    stream_.reset();
    auto node = server_.connections.extract(number_);
    if (node.empty()) return;
    server_.loop.post([dead = std::shared_ptr<HttpConnection>(std::move(node.mapped()))] {});
  }

  HttpServer::State& server_;
  std::uint64_t number_;
  runtime::StreamPtr stream_;
  Buffer in_;
  std::optional<http::request_parser<http::string_body>> parser_;
  bool answering_ = false;
  bool keep_alive_ = false;
  bool is_head_ = false;
};

HttpServer::HttpServer(runtime::Loop& loop, Handler handler)
    : state_(std::make_unique<State>(loop, std::move(handler))) {}

HttpServer::~HttpServer() = default;

Result<runtime::Address> HttpServer::listen(const runtime::Address& address) {
  State& state = *state_;
  auto listener = state.loop.listen(address, [&state](std::span<const runtime::Accepted> accepted) {
    for (const runtime::Accepted& each : accepted) {
      if (state.connections.size() >= connections_max) {
        state.loop.discard(each);
        continue;
      }
      const std::uint64_t number = state.next_number++;
      auto& connection =
          *(state.connections[number] = std::make_unique<HttpConnection>(state, number));
      connection.open(state.loop.adopt(each, connection));
    }
  });
  if (!listener) return listener.error();
  state.listener = std::move(*listener);
  return state.listener->address();
}

void HttpServer::stop() {
  state_->listener.reset();
  state_->connections.clear();
}

}  // namespace gnomon::net
