// HttpConnection: one connection of an HttpServer. Internal to net.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "net/http.h"
#include "net/http_parser.h"

namespace gnomon::net {

class HttpConnection;

struct HttpServer::State {
  State(runtime::Loop& given_loop, HeadHandler given_handler, Settings given_settings)
      : loop(given_loop), handler(std::move(given_handler)), settings(given_settings) {}

  // Null: there are too many.
  HttpConnection* make_connection();

  runtime::Loop& loop;
  HeadHandler handler;
  Settings settings;
  std::unique_ptr<runtime::Listener> listener;
  std::map<std::uint64_t, std::unique_ptr<HttpConnection>> connections;
  std::uint64_t next_number = 1;
  Stats stats;
  // Answers that come late find out through it that the server is gone.
  std::shared_ptr<State*> alive = std::make_shared<State*>(this);
};

// One request at a time; what is pipelined behind it waits for its answer.
// Owner: the server's State, through its number; freed in a later turn than it ends in.
class HttpConnection final : public runtime::StreamHandler, private runtime::Timer {
 public:
  HttpConnection(HttpServer::State& server, std::uint64_t number)
      : server_(server), number_(number) {}
  ~HttpConnection() override = default;

  void open(runtime::StreamPtr stream, ByteView unread);
  // Ends it, after its output is written.
  enum class Told : bool { no, yes };
  void remove(Told told);

  // What exchanges do; see there. Valid while is_open(its request).
  [[nodiscard]] bool is_open(std::uint64_t request) const {
    return open_ && request == requests_ && stream_ != nullptr;
  }
  [[nodiscard]] const Request& request() const { return request_; }
  [[nodiscard]] const runtime::Stream& stream() const { return *stream_; }
  void read_body(std::uint64_t most, Exchange::OnBody on_body);
  void collect_body(std::size_t most, HttpServer::Handler handler, Exchange::TooLong too_long);
  void pause_body() { body_paused_ = true; }
  void resume_body();
  void respond(const Response& response);
  void begin(const Response& head);
  void write(ByteView bytes);
  void finish();
  void on_drained_call(std::function<void()> call) { on_drained_ = std::move(call); }
  void on_gone_call(std::function<void()> call) { on_gone_ = std::move(call); }
  Exchange::Taken take_over(const Response& head);

 private:
  enum class Framing : std::uint8_t { none, length, chunks, close };

  void on_bytes(ByteView bytes) override;
  void on_drained() override;
  void on_ended(runtime::Ended) override { remove(Told::yes); }
  void on_timer() override;

  class LookAgain final : public runtime::Timer {
   public:
    explicit LookAgain(HttpConnection& connection) : connection_(connection) {}

   private:
    void on_timer() override {
      if (!connection_.behind()) connection_.serve();
    }
    HttpConnection& connection_;
  };

  void begin_request();
  void arm();
  void time_out();
  // True while the peer has too many answers to take before it gets another.
  [[nodiscard]] bool behind() const;
  [[nodiscard]] bool reads_body() const {
    return open_ && !body_done_ && on_body_ != nullptr && !body_paused_;
  }

  void serve();
  bool step();
  HttpParser::Event next_event();
  void refuse(int status, std::string_view why);
  bool take_refused_body();
  void start_exchange();
  bool take_body(HttpParser::Event event);
  void give_body(ByteView piece, bool last);
  void drop_body();
  void append_head(const Response& head, Framing framing);
  void append_piece(ByteView bytes);
  void note_output(std::size_t before);
  void end_answer();

  HttpServer::State& server_;
  const std::uint64_t number_;
  std::uint64_t requests_ = 0;  // heads handed to the handler so far
  runtime::StreamPtr stream_;
  LookAgain look_again_{*this};
  Buffer in_;
  HttpParser parser_;
  Request request_;
  Exchange::OnBody on_body_;
  Exchange::TooLong too_long_;
  std::function<void()> on_drained_, on_gone_;
  std::uint64_t body_most_ = 0, body_bytes_ = 0;
  std::uint64_t length_left_ = 0;             // of an answer whose length was announced
  std::uint64_t refused_left_ = 0;            // of a body that was refused, and is still to come
  std::uint64_t body_mark_ = 0;               // body_bytes_ when the timer looked last
  std::uint64_t output_ = 0, sent_mark_ = 0;  // bytes appended to the stream; taken, at the timer
  Framing framing_ = Framing::none;           // of the answer that was begun
  bool serving_ = false;                      // serve() is on the stack
  bool silent_ = false;                       // nothing has come since the last answer
  bool open_ = false;                         // a request is with the handler
  bool began_ = false;                        // its answer was begun
  bool body_done_ = false;
  bool body_paused_ = false;
  bool keep_alive_ = false;
  bool is_head_ = false;
};

}  // namespace gnomon::net
