#include "cli/broker_address.h"

#include <boost/json.hpp>

namespace gnomon::cli {

namespace {

constexpr std::uint16_t mqtts_port = 8883;

}  // namespace

Result<runtime::Address> broker_address(ApiClient& client, const ApiServer& server,
                                        const std::optional<std::string>& host) {
  std::uint16_t port = mqtts_port;
  if (server.local && !server.local->mqtts) {
    return Error{Code::not_found,
                 "the server has its listener mqtts off (setting listen.mqtts): a device with a "
                 "certificate could not connect"};
  }
  if (server.local) {
    if (const auto at = runtime::parse_address(*server.local->mqtts)) port = at->port;
  }
  if (host) {
    if (auto given = runtime::parse_address(*host)) return given;
    return runtime::Address{*host, port};
  }
  const auto told = client.iot("DescribeEndpoint", {{"endpointType", "iot:Data-ATS"}});
  if (!told) return told.error();
  return runtime::Address{text_of(*told, "endpointAddress"), port};
}

}  // namespace gnomon::cli
