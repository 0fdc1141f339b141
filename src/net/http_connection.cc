#include "net/http_connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits.h"

namespace gnomon::net {
namespace {

// A line must not end where the text says so: it may come from a user.
void append_clean(std::string& head, std::string_view text) {
  for (const char c : text) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::string_view value_of(const Response& head, std::string_view name) {
  const auto it = std::ranges::find_if(
      head.headers, [name](const Header& header) { return same_name(header.name, name); });
  return it == head.headers.end() ? std::string_view() : std::string_view(it->value);
}

}  // namespace

void HttpConnection::open(runtime::StreamPtr stream, ByteView unread) {
  stream_ = std::move(stream);
  begin_request();
  if (!unread.empty()) on_bytes(unread);
}

void HttpConnection::remove(Told told) {
  disarm();
  look_again_.disarm();
  stream_.reset();
  auto node = server_.connections.extract(number_);
  if (node.empty()) return;
  const auto gone = std::exchange(on_gone_, nullptr);
  const bool unfinished = std::exchange(open_, false);
  // It may be in a call of its own.
  server_.loop.post([dead = std::shared_ptr<HttpConnection>(std::move(node.mapped()))] {});
  if (told == Told::yes && unfinished && gone) gone();
}

// ---- time

void HttpConnection::arm() {
  body_mark_ = body_bytes_;
  sent_mark_ = output_ - stream_->pending();
  server_.loop.timers().arm(*this, server_.loop.now() + server_.settings.idle);
}

void HttpConnection::on_timer() {
  if (stream_->pending() > 0) {
    if (output_ - stream_->pending() > sent_mark_) return arm();
    return time_out();
  }
  if (!open_ || (reads_body() && body_bytes_ - body_mark_ < limits::http_progress_bytes))
    return time_out();
  arm();
}

void HttpConnection::time_out() {
  if (!silent_ || stream_->pending() > 0) ++server_.stats.idle;
  remove(Told::yes);
}

bool HttpConnection::behind() const { return stream_->pending() > limits::http_unsent_bytes; }

// ---- input

void HttpConnection::on_bytes(ByteView bytes) {
  silent_ = false;
  if (refused_left_ > 0) {
    refused_left_ -= std::min<std::uint64_t>(bytes.size(), refused_left_);
    if (refused_left_ == 0) remove(Told::no);
    return;
  }
  in_.append(bytes);
  serve();
}

void HttpConnection::on_drained() {
  if (open_ && on_drained_) {
    const auto call = on_drained_;  // it may set another
    call();
  }
  if (stream_ != nullptr) serve();
}

void HttpConnection::begin_request() {
  parser_.begin();
  request_ = {};
  on_body_ = nullptr;
  too_long_ = nullptr;
  on_drained_ = on_gone_ = nullptr;
  body_bytes_ = length_left_ = 0;
  open_ = began_ = body_done_ = body_paused_ = false;
  arm();
}

// Serves what has arrived, one request after the other. A loop, not a recursion: a handler that
// answers at once comes back here, and a peer may send thousands of requests in one read.
void HttpConnection::serve() {
  if (serving_) return;
  serving_ = true;
  while (stream_ != nullptr && step()) {
  }
  serving_ = false;
  if (stream_ == nullptr) return;
  if (in_.empty()) in_.release();
  if (in_.size() > limits::http_unanswered_bytes_max) {
    stream_->pause();
  } else {
    stream_->resume();
  }
  // Due in a later turn, when this one's output was written: on_drained() comes only if the peer
  // did not take all of it.
  if (behind()) server_.loop.timers().arm(look_again_, server_.loop.now() + Duration(1));
}

// False: nothing can be done with what is there.
bool HttpConnection::step() {
  if (refused_left_ > 0) return false;
  if (open_) return reads_body() && take_body(next_event());
  if (behind()) return false;
  if (next_event() != HttpParser::Event::head) return false;
  start_exchange();
  return true;
}

HttpParser::Event HttpConnection::next_event() {
  ByteView in = in_.view();
  const HttpParser::Event event = parser_.next(in, request_);
  in_.consume(in_.size() - in.size());
  if (event == HttpParser::Event::refused) refuse(parser_.fault().status, parser_.fault().why);
  return event;
}

void HttpConnection::refuse(int status, std::string_view why) {
  HttpServer::Stats& stats = server_.stats;
  ++(status == 413 ? stats.body_too_large : status == 431 ? stats.head_too_large : stats.malformed);
  if (!began_) {
    keep_alive_ = false;
    const Response response = status == 413 && too_long_ ? too_long_() : plain_answer(status, why);
    const std::size_t before = stream_->output().size();
    append_head(response, Framing::length);
    stream_->output().append(response.body);
    note_output(before);
  }
  if (status != 413 || began_ || !take_refused_body()) remove(Told::yes);
}

// A client that is still sending sees the answer only if what it sends is taken: else TCP resets
// the connection under it. So one of some length is read to its end, until the idle time-out.
bool HttpConnection::take_refused_body() {
  const std::uint64_t announced = parser_.body_bytes();
  if (announced > limits::http_dropped_bytes_max || announced <= body_bytes_ + in_.size() ||
      parser_.expects_continue()) {
    return false;
  }
  refused_left_ = announced - body_bytes_ - in_.size();
  in_.release();
  open_ = false;
  arm();
  if (const auto gone = std::exchange(on_gone_, nullptr)) gone();
  return true;
}

void HttpConnection::start_exchange() {
  open_ = true;
  ++requests_;
  is_head_ = request_.method == "HEAD";
  keep_alive_ = parser_.keep_alive();
  body_done_ = !parser_.has_body();
  disarm();
  server_.handler(request_, Exchange(server_.alive, number_, requests_));
}

// ---- the body

void HttpConnection::read_body(std::uint64_t most, Exchange::OnBody on_body) {
  if (on_body_ != nullptr) return;
  on_body_ = std::move(on_body);
  body_most_ = most;
  if (parser_.body_bytes() > most) return refuse(413, "the body is too long");
  if (body_done_) return give_body({}, true);
  if (parser_.expects_continue() && in_.empty() && !began_) {
    const std::size_t before = stream_->output().size();
    stream_->output().append("HTTP/1.1 100 Continue\r\n\r\n");
    note_output(before);
  }
  arm();
  serve();
}

void HttpConnection::collect_body(std::size_t most, HttpServer::Handler handler,
                                  Exchange::TooLong too_long) {
  if (on_body_ == nullptr) too_long_ = std::move(too_long);
  const auto respond = [server = std::weak_ptr(server_.alive), connection = number_,
                        open = requests_](const Response& response) {
    const auto alive = server.lock();
    if (alive == nullptr) return;
    const auto it = (*alive)->connections.find(connection);
    if (it != (*alive)->connections.end() && it->second->is_open(open))
      it->second->respond(response);
  };
  read_body(most, [this, handler = std::move(handler), respond](ByteView piece, bool last) {
    request_.body.append(as_text(piece));
    if (last) handler(request_, respond);
  });
}

bool HttpConnection::take_body(HttpParser::Event event) {
  switch (event) {
    case HttpParser::Event::body:
      body_bytes_ += parser_.piece().size();
      if (body_bytes_ > body_most_) {
        refuse(413, "the body is too long");
        return false;
      }
      give_body(parser_.piece(), false);
      return true;
    case HttpParser::Event::end:
      body_done_ = true;
      disarm();
      if (began_) arm();
      give_body({}, true);
      return true;
    default:
      return false;
  }
}

// The call may end the exchange, and with it the function: it is held here meanwhile.
void HttpConnection::give_body(ByteView piece, bool last) {
  const std::uint64_t request = requests_;
  auto call = std::move(on_body_);
  on_body_ = [](ByteView, bool) {};
  call(piece, last);
  if (is_open(request)) on_body_ = std::move(call);
}

void HttpConnection::resume_body() {
  if (!std::exchange(body_paused_, false)) return;
  if (reads_body()) arm();
  serve();
}

// What of the body is here already, so that the connection can go on behind it.
void HttpConnection::drop_body() {
  while (!body_done_) {
    ByteView in = in_.view();
    const HttpParser::Event event = parser_.next(in, request_);
    in_.consume(in_.size() - in.size());
    body_done_ = event == HttpParser::Event::end;
    if (event != HttpParser::Event::body) break;
  }
  if (!body_done_) keep_alive_ = false;
}

// ---- the answer

void HttpConnection::note_output(std::size_t before) {
  output_ += stream_->output().size() - before;
  stream_->flush();
}

void HttpConnection::append_head(const Response& head, Framing framing) {
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + ' ';
  text += reason_of(head.status);
  for (const Header& header : head.headers) {
    text += "\r\n";
    append_clean(text, header.name);
    text += ": ";
    append_clean(text, header.value);
  }
  if (framing == Framing::chunks) text += "\r\nTransfer-Encoding: chunked";
  if (framing == Framing::length && value_of(head, "content-length").empty())
    text += "\r\nContent-Length: " + std::to_string(head.body.size());
  if (head.status != 101)
    text += keep_alive_ ? "\r\nConnection: keep-alive" : "\r\nConnection: close";
  text += "\r\n\r\n";
  stream_->output().append(text);
}

void HttpConnection::respond(const Response& response) {
  if (began_) return;
  drop_body();
  began_ = true;
  const bool bodiless = has_no_body(response.status);
  const std::size_t before = stream_->output().size();
  append_head(response, bodiless ? Framing::none : Framing::length);
  if (!is_head_ && !bodiless) stream_->output().append(response.body);
  note_output(before);
  end_answer();
}

void HttpConnection::begin(const Response& head) {
  if (began_) return;
  began_ = true;
  const std::string_view length = value_of(head, "content-length");
  const auto read = std::from_chars(length.data(), length.data() + length.size(), length_left_);
  if (has_no_body(head.status)) {
    framing_ = Framing::none;
  } else if (!length.empty() && read.ec == std::errc()) {
    framing_ = Framing::length;
  } else {
    framing_ = parser_.is_http_11() ? Framing::chunks : Framing::close;
  }
  // A body that is still to come is read on; one that nobody reads ends the connection.
  if (on_body_ == nullptr) drop_body();
  if (framing_ == Framing::close) keep_alive_ = false;
  const std::size_t before = stream_->output().size();
  append_head(head, framing_);
  note_output(before);
  arm();
  write(as_bytes(head.body));
}

void HttpConnection::write(ByteView bytes) {
  if (!began_ || bytes.empty() || is_head_ || framing_ == Framing::none) return;
  if (framing_ == Framing::length) {
    bytes =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), length_left_)));
    length_left_ -= bytes.size();
  }
  const std::size_t before = stream_->output().size();
  if (framing_ == Framing::chunks) {
    char size[16];
    const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
    stream_->output().append(std::string_view(size, static_cast<std::size_t>(end - size)));
    stream_->output().append("\r\n");
  }
  stream_->output().append(bytes);
  if (framing_ == Framing::chunks) stream_->output().append("\r\n");
  note_output(before);
  if (stream_->pending() <= limits::http_unsent_bytes_hard) return;
  ++server_.stats.slow_reader;
  remove(Told::yes);
}

void HttpConnection::finish() {
  if (!began_) return;
  if (framing_ == Framing::chunks && !is_head_) {
    const std::size_t before = stream_->output().size();
    stream_->output().append("0\r\n\r\n");
    note_output(before);
  }
  // Less than was announced: the end of the connection tells the client so.
  if (framing_ == Framing::length && !is_head_ && length_left_ > 0) keep_alive_ = false;
  if (!body_done_) keep_alive_ = false;
  end_answer();
}

void HttpConnection::end_answer() {
  open_ = false;
  if (!keep_alive_) return remove(Told::no);
  begin_request();
  silent_ = in_.empty();
  serve();
}

Exchange::Taken HttpConnection::take_over(const Response& head) {
  if (began_ || !request_.may_upgrade) return {};
  began_ = true;
  append_head(head, Framing::none);
  stream_->flush();
  Exchange::Taken taken{std::move(stream_), std::move(in_)};
  taken.stream->resume();
  open_ = false;
  remove(Told::no);
  return taken;
}

}  // namespace gnomon::net
