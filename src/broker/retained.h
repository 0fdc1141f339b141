// Retained messages: how they are found for new subscriptions. The keeper of the topic's slot
// writes them (keeper.cc).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/mail.h"
#include "mqtt/packet.h"
#include "store/store.h"
#include "topic/index.h"

namespace gnomon::broker {

// Appends to `page` what is retained in the slots of keeper `owner` (of `owners`) under topics that
// match the request's filters, at most a page of it. For the pool: it may wait for the disk.
// Errors: the store's; unavailable, with the topic (a record is damaged).
Result<void> read_retained(const store::Store& store, const RetainedRequest& request, int owner,
                           int owners, RetainedPage& page);

// Replay: the retained messages that the new subscriptions of one SUBSCRIBE get (MQTT 5 §3.3.1.3).
// The slots' keepers are all asked at once, and answer by pages; little is sent together with
// SUBACK, much goes on behind it as the client takes it.
// A message is either replayed or arrives live, never both and never neither: each shard's messages
// arrive live from a certain id on, and a keeper is asked only after every shard has handed over
// what it had published before that. A topic that has arrived live meanwhile is not replayed: its
// value is older.
struct Replay {
  struct Filter {
    std::string filter;
    topic::Options options;
    // By shard: from this message id on its messages arrive live. Of those published with QoS 0,
    // and of the others; they differ for persistent sessions only.
    std::vector<std::uint64_t> live_qos0, live_others;
    bool fresh = false;  // until SUBACK: others learn of the filter with interest change `interest`
    std::uint64_t interest = 0;
  };
  // What one keeper has still to send.
  struct Source {
    RetainedRequest request;
    bool asked = false, done = false;
  };
  std::vector<Filter> filters;
  mqtt::SubscribeAck ack;
  bool acked = false;                      // SUBACK is sent
  std::vector<Source> sources;             // by shard; empty: not begun
  std::vector<RetainedPage::Entry> found;  // from `next` on to be sent
  std::size_t next = 0, bytes = 0;
};

}  // namespace gnomon::broker
