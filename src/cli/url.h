// The URL of a broker, as pub and sub take it: mqtt://[user[:password]@]host[:port][/topic].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gnomon::cli {

struct BrokerUrl {
  std::string scheme;  // "mqtt"
  std::optional<std::string> username, password;
  std::string host;  // without the brackets of IPv6
  std::optional<std::uint16_t> port;
  std::string topic;  // "": none
};

// User, password and topic may be percent-encoded. Errors: invalid, with what is wrong ("must …").
Result<BrokerUrl> parse_broker_url(std::string_view text);

}  // namespace gnomon::cli
