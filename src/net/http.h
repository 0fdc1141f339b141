// An HTTP server whose users do not see the wire version.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "net/http_message.h"
#include "runtime/loop.h"

namespace gnomon::net {

class Exchange;

// HttpServer: serves connections on one loop, its own listener's or given ones: keep-alive,
// pipelining in order, bounded heads (16 KiB: 431) and bodies (413), a bounded number of
// connections and an idle time-out. A client that does not take its answers gets no further ones
// until it does. A request of HTTP/1.1 without Host is refused (400).
// Owner: the loop's thread; stop() or destruction closes all. A handler may call stop().
class HttpServer {
 public:
  struct Settings {
    std::size_t connections_max = 256;
    std::size_t body_bytes_max =
        limits::http_body_bytes_max;  // of a request that a Handler answers
    std::chrono::seconds idle{30};    // for a head, between requests, for 4 KiB more of a body, and
                                      // for a client to take anything of its answer
  };
  // The answer to one request, now or later, on the loop's thread; may be copied to and dropped on
  // any thread. It is given to nobody if the request was answered before or its connection is gone.
  using Respond = std::function<void(Response)>;
  // Called with a whole request, which is valid until it is answered or its connection is gone.
  using Handler = std::function<void(const Request&, Respond)>;
  // Called with the head of a request (its body is empty): for bodies and answers that are
  // streamed, for upgrades, and for deciding by the head what is to be done.
  using HeadHandler = std::function<void(const Request&, const Exchange&)>;

  HttpServer(runtime::Loop& loop, Handler handler);
  HttpServer(runtime::Loop& loop, Handler handler, Settings settings);
  HttpServer(runtime::Loop& loop, HeadHandler handler);
  HttpServer(runtime::Loop& loop, HeadHandler handler, Settings settings);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Errors: unavailable, as Loop::listen.
  Result<runtime::Address> listen(const runtime::Address& address);
  // Takes over a connection of this loop: a socket that somebody else has accepted, or a stream
  // (an encrypted one, say) with what has arrived on it and was not used.
  void adopt(const runtime::Accepted& accepted);
  void adopt(runtime::StreamPtr stream, ByteView unread = {});
  // Closes all; no exchange is told.
  void stop();
  [[nodiscard]] std::size_t connections() const;

  // What it refused or gave up by itself: no handler was asked, or had finished.
  struct Stats {
    std::uint64_t too_many = 0;        // connections beyond connections_max
    std::uint64_t malformed = 0;       // 400, 501, 505: not HTTP, or not as it should be
    std::uint64_t head_too_large = 0;  // 431
    std::uint64_t body_too_large = 0;  // 413
    std::uint64_t idle = 0;            // nothing came in time, or nothing was taken
    std::uint64_t slow_reader = 0;     // too much of a streamed answer was not taken
  };
  [[nodiscard]] const Stats& stats() const;

  struct State;  // http_connection.h

 private:
  std::unique_ptr<State> state_;
};

// Exchange: a handle of one request whose head has come. A value: copies stand for the same one,
// and all may be dropped anywhere. All calls on the loop's thread; once it is over (answered in
// full, or the client is gone) they do nothing.
class Exchange {
 public:
  [[nodiscard]] bool open() const;
  // Until it is over; body: see collect_body().
  [[nodiscard]] const Request* request() const;
  [[nodiscard]] const runtime::Peer* peer() const;
  [[nodiscard]] const runtime::Security* security() const;  // null: not encrypted

  // ---- the body. Nothing of it is read before one of these, so that a client cannot send faster
  // than it is taken; one that waits for "100 Continue" is told to go on by them.
  // Pieces as they come, valid during the call; in the last call (which has no bytes) `last` is
  // true. More than `most` bytes are refused (413), and on_gone() is told.
  using OnBody = std::function<void(ByteView piece, bool last)>;
  void read_body(std::uint64_t most, OnBody on_body) const;
  void pause_body() const;
  void resume_body() const;
  // Calls `handler` with the whole request once its body is there. `too_long`, if there is one,
  // gives the answer for a body of more than `most` bytes.
  using TooLong = std::function<Response()>;
  void collect_body(std::size_t most, HttpServer::Handler handler, TooLong too_long = {}) const;

  // ---- the answer. One that begins before the body was read ends the connection.
  void respond(const Response& response) const;
  // In pieces: in chunks if the head has no Content-Length, else just so many bytes. The body of
  // `head` is the first piece.
  void begin(const Response& head) const;
  // The user holds back while much is pending(), until on_drained(); whoever lets more than 16 MiB
  // wait loses the connection.
  void write(ByteView bytes) const;
  void write(std::string_view text) const { write(as_bytes(text)); }
  void finish() const;
  [[nodiscard]] std::size_t pending() const;
  void on_drained(std::function<void()> call) const;
  // The exchange is over although its answer was not finished. Not told in stop().
  void on_gone(std::function<void()> call) const;

  // ---- the connection itself, if request()->may_upgrade: sends `head` (a 101), and hands over the
  // stream with what has arrived behind the request. Whoever takes it calls set_handler() at once.
  struct Taken {
    runtime::StreamPtr stream;  // null: it is gone
    Buffer unread;
  };
  [[nodiscard]] Taken take_over(const Response& head) const;

 private:
  friend class HttpConnection;
  Exchange(std::weak_ptr<HttpServer::State*> server, std::uint64_t connection,
           std::uint64_t request)
      : server_(std::move(server)), connection_(connection), request_(request) {}
  [[nodiscard]] class HttpConnection* find() const;

  std::weak_ptr<HttpServer::State*> server_;
  std::uint64_t connection_, request_;
};

}  // namespace gnomon::net
