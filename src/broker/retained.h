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
// A message is either replayed or arrives live, never both and never neither: a keeper is asked
// only after every shard has acknowledged the interest, and handed over what it had published
// before that. What it publishes from then on arrives live; a topic that has arrived live before,
// since SUBSCRIBE, is not replayed: its value is older.
struct Replay {
  struct Filter {
    std::string filter;
    topic::Options options;
    // By shard: from this message id on its messages arrive live. Of those published with QoS 0,
    // and of the others; they differ for persistent sessions only, whose home knows them.
    std::vector<std::uint64_t> live_qos0, live_others;
  };
  // What one keeper has still to send.
  struct Source {
    RetainedRequest request;
    bool asked = false, done = false;
  };
  std::vector<Filter> filters;
  mqtt::SubscribeAck ack;
  std::vector<std::string> told;  // as Connection::suback() has it
  std::uint64_t own_from = 0;     // from this id on messages of the connection's shard arrive live
  std::uint64_t interest = 0;     // the change that the others acknowledge before anything is asked
  bool acked = false;             // SUBACK is sent
  std::vector<Source> sources;    // by shard; empty: not begun
  std::vector<RetainedPage::Entry> found;  // from `next` on to be sent
  std::size_t next = 0, bytes = 0;
};

}  // namespace gnomon::broker
