#include "net/http_parser.h"

#include <optional>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>

#include "base/limits.h"

namespace gnomon::net {

namespace http = boost::beast::http;

namespace {

using Text = boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

std::string_view view(Text text) { return {text.data(), text.size()}; }

// Receives what Beast finds. Trailers are not told: they could pass for headers that nobody
// checked.
class Parser final : public http::basic_parser<true> {
 public:
  Parser() {
    header_limit(limits::http_head_bytes_max);
    body_limit(boost::none);  // the connection counts
    eager(false);             // one event at a time
  }

  Request* request = nullptr;
  ByteView piece;
  int version = 11;

 private:
  void on_request_impl(http::verb, Text method, Text target, int given_version,
                       ErrorCode&) override {
    request->method = view(method);
    request->target = view(target);
    version = given_version;
  }
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_field_impl(http::field, Text name, Text value, ErrorCode& error) override {
    if (is_header_done()) return;
    head_bytes_ += name.size() + value.size();
    if (head_bytes_ > limits::http_head_bytes_max) error = http::error::header_limit;
    request->headers.push_back({std::string(view(name)), std::string(view(value))});
  }
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override {
    piece = as_bytes(view(body));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) override {
    piece = as_bytes(view(body));
    return body.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  std::size_t head_bytes_ = 0;
};

}  // namespace

struct HttpParser::Beast {
  std::optional<Parser> parser;
};

HttpParser::HttpParser() : beast_(std::make_unique<Beast>()) { begin(); }
HttpParser::~HttpParser() = default;

void HttpParser::begin() {
  beast_->parser.emplace();
  head_told_ = end_told_ = false;
}

HttpParser::Event HttpParser::refuse(int status, std::string why) {
  refused_ = true;
  fault_ = {status, std::move(why)};
  return Event::refused;
}

HttpParser::Event HttpParser::next(ByteView& in, Request& request) {
  if (refused_) return Event::refused;
  Parser& parser = *beast_->parser;
  parser.request = &request;
  for (;;) {
    if (!head_told_ && parser.is_header_done()) {
      head_told_ = true;
      return check_head(request);
    }
    if (parser.is_done()) return std::exchange(end_told_, true) ? Event::none : Event::end;
    if (in.empty()) return Event::none;
    parser.piece = {};
    ErrorCode error;
    const std::size_t taken = parser.put(boost::asio::const_buffer(in.data(), in.size()), error);
    in = in.subspan(taken);
    if (error == http::error::need_more) {
      if (in.size() <= limits::http_head_bytes_max) return Event::none;
      error = http::error::header_limit;
    }
    if (error == http::error::header_limit) return refuse(431, "the head is too long");
    if (error) return refuse(400, error.message());
    piece_ = parser.piece;
    if (!piece_.empty()) return Event::body;
    if (taken == 0) return Event::none;
  }
}

HttpParser::Event HttpParser::check_head(Request& request) {
  const Parser& parser = *beast_->parser;
  const std::size_t codings = request.count("transfer-encoding");
  if (codings > 0) {
    // With another coding the end of the body, so the next request's start, is not known: Beast
    // would take the body for requests (RFC 9112 §6.1). 1.0 has no chunks.
    if (parser.version < 11) return refuse(400, "HTTP/1.0 has no transfer codings");
    if (codings > 1 || !same_name(request.header("transfer-encoding"), "chunked"))
      return refuse(501, "the only transfer coding is chunked");
  }
  // RFC 9112 §3.2.
  const std::size_t hosts = request.count("host");
  if (hosts > 1 || (hosts == 0 && parser.version >= 11))
    return refuse(400, "a request has one Host header");
  request.may_upgrade =
      parser.version >= 11 && !has_body() && request.lists("connection", "upgrade");
  expects_continue_ = parser.version >= 11 && has_body() && request.lists("expect", "100-continue");
  return Event::head;
}

bool HttpParser::keep_alive() const { return beast_->parser->keep_alive(); }
bool HttpParser::is_http_11() const { return beast_->parser->version >= 11; }
bool HttpParser::has_body() const {
  return beast_->parser->chunked() || beast_->parser->content_length().value_or(0) > 0;
}
std::uint64_t HttpParser::body_bytes() const {
  return beast_->parser->content_length().value_or(0);
}

std::string_view reason_of(int status) {
  return view(http::obsolete_reason(static_cast<http::status>(status)));
}

}  // namespace gnomon::net
