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
constexpr std::size_t unsent_bytes_max = 256 * KiB;     // beyond it no further request is served
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
  // The handler's answer to the connection's `request`th request; a second one to it is ignored.
  void answer(std::uint64_t request, const Response& response) {
    if (!answering_ || request != requests_) return;
    write(response, keep_alive_);
    if (!keep_alive_) return remove();
    begin_request();
    serve();
  }

  // Ends it, after its output is written. It may be in a call of its own: freed in a later turn.
  void remove() {
    disarm();
    look_again_.disarm();
    stream_.reset();
    auto node = server_.connections.extract(number_);
    if (node.empty()) return;
    server_.loop.post([dead = std::shared_ptr<HttpConnection>(std::move(node.mapped()))] {});
  }

 private:
  void on_bytes(ByteView bytes) override {
    in_.append(bytes);
    serve();
  }
  void on_drained() override { serve(); }
  void on_ended(runtime::Ended) override { remove(); }
  void on_timer() override { remove(); }

  class LookAgain final : public runtime::Timer {
   public:
    explicit LookAgain(HttpConnection& connection) : connection_(connection) {}

   private:
    void on_timer() override {
      if (!connection_.behind()) connection_.serve();
    }
    HttpConnection& connection_;
  };

  void begin_request() {
    parser_.emplace();
    parser_->header_limit(head_bytes_max);
    parser_->body_limit(body_bytes_max);
    parser_->eager(true);
    answering_ = false;
    head_seen_ = false;
    is_head_ = false;
    server_.loop.timers().arm(*this, server_.loop.now() + idle_time);
  }

  // Serves the requests that have arrived, one after the other. A loop, not a recursion: a handler
  // that answers at once comes back here, and a peer may send thousands of requests in one read.
  void serve() {
    if (serving_) return;
    serving_ = true;
    while (stream_ != nullptr && !answering_ && !behind() && read_request()) handle();
    serving_ = false;
    if (stream_ == nullptr) return;
    if (in_.empty()) in_.release();
    if (in_.size() > unanswered_bytes_max) {
      stream_->pause();
    } else {
      stream_->resume();
    }
    // Due in a later turn, when this one's output was written: on_drained() comes only if the peer
    // did not take all of it.
    if (behind()) server_.loop.timers().arm(look_again_, server_.loop.now() + Duration(1));
  }

  // True while the peer has too many answers to take before it gets another.
  [[nodiscard]] bool behind() const { return stream_->pending() > unsent_bytes_max; }

  // True when a whole request is there.
  bool read_request() {
    if (in_.empty()) return false;
    boost::beast::error_code error;
    in_.consume(parser_->put(boost::asio::const_buffer(in_.data(), in_.size()), error));
    if (error == http::error::need_more) {
      error = {};
      // Beast bounds heads and bodies, but not a chunk's extensions and trailers.
      if (in_.size() > head_bytes_max) error = http::error::header_limit;
    }
    if (error) {
      refuse(status_of(error), error.message());
      return false;
    }
    if (!head_seen_ && parser_->is_header_done() && !check_head()) return false;
    return parser_->is_done();
  }

  static int status_of(const boost::beast::error_code& error) {
    if (error == http::error::header_limit) return 431;
    return error == http::error::body_limit ? 413 : 400;
  }

  // The head is there. False if it was refused.
  bool check_head() {
    head_seen_ = true;
    const auto& head = parser_->get();
    // With another coding the end of the body, so the next request's start, is not known: Beast
    // takes the body for requests (RFC 9112 §6.1).
    const auto coding = head.find(http::field::transfer_encoding);
    if (coding != head.end() && !same_name(coding->value(), "chunked")) {
      refuse(501, "the only transfer coding is chunked");
      return false;
    }
    // RFC 9110 §10.1.1: a client with a body may wait for this before it sends it.
    if (!parser_->is_done() && head.version() >= 11 &&
        same_name(head[http::field::expect], "100-continue")) {
      stream_->output().append("HTTP/1.1 100 Continue\r\n\r\n");
      stream_->flush();
    }
    return true;
  }

  void refuse(int status, const std::string& why) {
    write({status, {{"Content-Type", "text/plain"}}, why + "\n"}, false);
    remove();
  }

  void handle() {
    disarm();
    answering_ = true;
    ++requests_;
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
    server_.handler(request, [alive = std::weak_ptr(server_.alive), number = number_,
                              open = requests_](const Response& response) {
      const auto server = alive.lock();
      if (server == nullptr) return;
      const auto it = (*server)->connections.find(number);
      if (it != (*server)->connections.end()) it->second->answer(open, response);
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

  HttpServer::State& server_;
  std::uint64_t number_;
  std::uint64_t requests_ = 0;  // handed to the handler so far
  runtime::StreamPtr stream_;
  LookAgain look_again_{*this};
  Buffer in_;
  std::optional<http::request_parser<http::string_body>> parser_;
  bool serving_ = false;    // serve() is on the stack
  bool answering_ = false;  // a request is with the handler
  bool head_seen_ = false;  // check_head() has passed
  bool keep_alive_ = false;
  bool is_head_ = false;
};

HttpServer::HttpServer(runtime::Loop& loop, Handler handler)
    : state_(std::make_unique<State>(loop, std::move(handler))) {}

HttpServer::~HttpServer() { stop(); }

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
  // Not cleared: the call may come from a handler, so from within one of them.
  while (!state_->connections.empty()) state_->connections.begin()->second->remove();
}

}  // namespace gnomon::net
