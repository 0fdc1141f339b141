// Requests and responses, independent of the wire version.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gnomon::net {

struct Header {
  std::string name, value;
};

struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent: "/metrics?x=1"
  std::vector<Header> headers;
  std::string body;
  bool may_upgrade = false;  // the connection could be taken over for another protocol
  // The value of the first header `name` (case-insensitive), or "".
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;  // headers of that name
  // True if a header `name` lists `token` (comma-separated, case-insensitive).
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;
  [[nodiscard]] std::string_view path() const;  // target before '?'
};

struct Response {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
};

// An answer for a person: `why` and a newline.
[[nodiscard]] Response plain_answer(int status, std::string_view why);

// ASCII, case-insensitive.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
[[nodiscard]] std::string lower_case(std::string_view text);

// The next member of a comma-separated list, without the white space around it; empty ones are left
// out. False: there is none. `rest` begins as the list.
bool next_member(std::string_view& rest, std::string_view& member);

}  // namespace gnomon::net
