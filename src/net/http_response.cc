#include "net/http_response.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/limits.h"

namespace gnomon::net {

namespace http = boost::beast::http;

Result<Response> read_response(std::string_view text) {
  http::response_parser<http::string_body> parser;
  parser.header_limit(limits::http_head_bytes_max);
  parser.body_limit(boost::none);  // it is here already
  parser.eager(true);
  boost::beast::error_code error;
  while (!text.empty() && !parser.is_done()) {
    const std::size_t taken =
        parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
    text.remove_prefix(taken);
    if (error || taken == 0) break;
  }
  if (error == http::error::need_more || !parser.got_some()) error = http::error::partial_message;
  if (!error) parser.put_eof(error);
  if (error == http::error::partial_message) return Error{Code::invalid, "the answer is cut off"};
  if (error) return Error{Code::invalid, error.message()};
  auto message = parser.release();
  Response response{.status = static_cast<int>(message.result_int()),
                    .headers = {},
                    .body = std::move(message.body())};
  for (const auto& field : message) {
    response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  return response;
}

}  // namespace gnomon::net
