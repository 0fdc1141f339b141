// The URL of a broker, as pub and sub take it: mqtt[s]://[user[:password]@]host[:port][/topic], or
// ws[s]://[user[:password]@]host[:port][/path].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gnomon::cli {

struct BrokerUrl {
  std::string scheme;  // mqtt, mqtts, ws or wss
  std::optional<std::string> username, password;
  std::string host;  // without the brackets of IPv6
  std::optional<std::uint16_t> port;
  std::string topic;  // "": none
  std::string path;   // of ws and wss, with the query; "": none

  [[nodiscard]] bool tls() const { return scheme.back() == 's' && scheme != "ws"; }
  [[nodiscard]] bool websocket() const { return scheme.starts_with("ws"); }
};

// User, password and topic may be percent-encoded. Errors: invalid, with what is wrong ("must …").
Result<BrokerUrl> parse_broker_url(std::string_view text);

}  // namespace gnomon::cli
