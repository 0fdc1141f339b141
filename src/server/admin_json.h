// The JSON of the admin listener: what it tells of clients, subscriptions and retained messages.
// A page is an object: {"clients":[…],"next":"…"}; `next` goes into the query as `after`, and is
// null at the end.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "broker/inspect.h"
#include "message/message.h"

namespace gnomon::server {

[[nodiscard]] std::string to_json(const broker::ClientView& client, WallTime now);
// The options of a shared subscription are its home's; `with_client`: tell whose it is.
[[nodiscard]] std::string to_json(const broker::SubscriptionView& subscription, bool with_client);
// Of the payload the beginning: what is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string to_json(const message::Message& retained);

}  // namespace gnomon::server
