#include "server/connections.h"

#include <string>
#include <utility>

#include "base/json_text.h"
#include "partition/slots.h"

namespace gnomon::server {

void Connections::end(operations::Disconnection disconnection, Told told) {
  const auto slot = partition::slot_of(partition::KeyKind::client_id, disconnection.client_id);
  const auto home =
      static_cast<std::size_t>(partition::thread_of(slot, static_cast<int>(shards_.size())));
  loops_[home]->post(
      [shard = shards_[home].get(), given = std::move(disconnection), told = std::move(told)] {
        shard->dismiss(given.client_id, {given.clean_session, given.prevent_will},
                       [told, client_id = given.client_id](bool found) {
                         if (found) return told({});
                         told(Error{Code::not_found, "client " + json_text(client_id) +
                                                         " is not connected and has no session"});
                       });
      });
}

}  // namespace gnomon::server
