#include "net/http.h"

#include <utility>

#include "net/http_connection.h"

namespace gnomon::net {
namespace {

HttpServer::HeadHandler collecting(HttpServer::Handler handler, std::size_t most) {
  return [handler = std::move(handler), most](const Request&, const Exchange& exchange) {
    exchange.collect_body(most, handler);
  };
}

}  // namespace

HttpConnection* HttpServer::State::make_connection() {
  if (connections.size() >= settings.connections_max) {
    ++stats.too_many;
    return nullptr;
  }
  const std::uint64_t number = next_number++;
  return (connections[number] = std::make_unique<HttpConnection>(*this, number)).get();
}

HttpServer::HttpServer(runtime::Loop& loop, Handler handler)
    : HttpServer(loop, std::move(handler), Settings()) {}
HttpServer::HttpServer(runtime::Loop& loop, Handler handler, Settings settings)
    : HttpServer(loop, collecting(std::move(handler), settings.body_bytes_max), settings) {}
HttpServer::HttpServer(runtime::Loop& loop, HeadHandler handler)
    : HttpServer(loop, std::move(handler), Settings()) {}
HttpServer::HttpServer(runtime::Loop& loop, HeadHandler handler, Settings settings)
    : state_(std::make_unique<State>(loop, std::move(handler), settings)) {}

HttpServer::~HttpServer() { stop(); }

Result<runtime::Address> HttpServer::listen(const runtime::Address& address) {
  auto listener = state_->loop.listen(address, [this](std::span<const runtime::Accepted> accepted) {
    for (const runtime::Accepted& each : accepted) adopt(each);
  });
  if (!listener) return listener.error();
  state_->listener = std::move(*listener);
  return state_->listener->address();
}

void HttpServer::adopt(const runtime::Accepted& accepted) {
  if (HttpConnection* connection = state_->make_connection()) {
    connection->open(state_->loop.adopt(accepted, *connection), {});
  } else {
    state_->loop.discard(accepted);
  }
}

void HttpServer::adopt(runtime::StreamPtr stream, ByteView unread) {
  HttpConnection* connection = state_->make_connection();
  if (connection == nullptr) return;  // and the stream goes
  stream->set_handler(*connection);
  connection->open(std::move(stream), unread);
}

void HttpServer::stop() {
  state_->listener.reset();
  // Not cleared: the call may come from a handler, so from within one of them.
  while (!state_->connections.empty())
    state_->connections.begin()->second->remove(HttpConnection::Told::no);
}

std::size_t HttpServer::connections() const { return state_->connections.size(); }
const HttpServer::Stats& HttpServer::stats() const { return state_->stats; }

// ---- Exchange

HttpConnection* Exchange::find() const {
  const auto alive = server_.lock();
  if (alive == nullptr) return nullptr;
  const auto it = (*alive)->connections.find(connection_);
  return it != (*alive)->connections.end() && it->second->is_open(request_) ? it->second.get()
                                                                            : nullptr;
}

bool Exchange::open() const { return find() != nullptr; }

const Request* Exchange::request() const {
  const HttpConnection* connection = find();
  return connection != nullptr ? &connection->request() : nullptr;
}
const runtime::Peer* Exchange::peer() const {
  const HttpConnection* connection = find();
  return connection != nullptr ? &connection->stream().peer() : nullptr;
}
const runtime::Security* Exchange::security() const {
  const HttpConnection* connection = find();
  return connection != nullptr ? connection->stream().security() : nullptr;
}

void Exchange::read_body(std::uint64_t most, OnBody on_body) const {
  if (auto* connection = find()) connection->read_body(most, std::move(on_body));
}
void Exchange::pause_body() const {
  if (auto* connection = find()) connection->pause_body();
}
void Exchange::resume_body() const {
  if (auto* connection = find()) connection->resume_body();
}
void Exchange::collect_body(std::size_t most, HttpServer::Handler handler, TooLong too_long) const {
  if (auto* connection = find())
    connection->collect_body(most, std::move(handler), std::move(too_long));
}

void Exchange::respond(const Response& response) const {
  if (auto* connection = find()) connection->respond(response);
}
void Exchange::begin(const Response& head) const {
  if (auto* connection = find()) connection->begin(head);
}
void Exchange::write(ByteView bytes) const {
  if (auto* connection = find()) connection->write(bytes);
}
void Exchange::finish() const {
  if (auto* connection = find()) connection->finish();
}
std::size_t Exchange::pending() const {
  const HttpConnection* connection = find();
  return connection != nullptr ? connection->stream().pending() : 0;
}
void Exchange::on_drained(std::function<void()> call) const {
  if (auto* connection = find()) connection->on_drained_call(std::move(call));
}
void Exchange::on_gone(std::function<void()> call) const {
  if (auto* connection = find()) connection->on_gone_call(std::move(call));
}

Exchange::Taken Exchange::take_over(const Response& head) const {
  auto* connection = find();
  return connection != nullptr ? connection->take_over(head) : Taken{};
}

}  // namespace gnomon::net
