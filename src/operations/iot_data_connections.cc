// DeleteConnection: ends the connection of a client.
#include <utility>

#include <boost/json.hpp>

#include "operations/connections.h"
#include "operations/fields.h"
#include "operations/handlers.h"

namespace gnomon::operations {
namespace {

Outcome remove(Context& context, const json::Value& input, json::Value&) {
  Disconnection disconnection;
  disconnection.client_id = text_copy(input, "clientId");
  disconnection.clean_session = flag(input, "cleanSession").value_or(false);
  disconnection.prevent_will = flag(input, "preventWillMessage").value_or(false);
  Done done;
  done.later.begin = [&connections = *context.world.connections,
                      disconnection = std::move(disconnection),
                      service = context.operation.service](Later::Tell tell) mutable {
    connections.end(
        std::move(disconnection), [service, tell = std::move(tell)](const Result<void>& ended) {
          if (!ended)
            return tell(
                api::modelled_error(*service, "ResourceNotFoundException", ended.error().message),
                boost::json::object());
          tell(Done(), boost::json::object());
        });
  };
  return done;
}

constexpr Entry entries[] = {{"DeleteConnection", remove}};

}  // namespace

Entries iot_data_connections() { return entries; }

}  // namespace gnomon::operations
