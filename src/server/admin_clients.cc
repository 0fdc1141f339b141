// Admin: clients, subscriptions and what is retained. Shards are asked one after the other, each
// for a page on its own loop; what is retained is read on the pool.
#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "base/log.h"
#include "broker/records.h"
#include "broker/retained.h"
#include "server/admin.h"
#include "server/admin_json.h"
#include "server/admin_request.h"
#include "topic/topic.h"

namespace gnomon::server {

namespace {

using broker::ClientPage;
using broker::PagePlace;
using broker::SubscriptionPage;

constexpr std::size_t page_default = 100;  // entries

net::Response json(std::string body) {
  return {200, {{"Content-Type", "application/json"}}, std::move(body) + '\n'};
}

Result<std::size_t> read_limit(const Query& query) {
  const auto given = query.find("limit");
  if (given == query.end()) return page_default;
  const std::string& text = given->second;
  std::size_t limit = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, limit);
  if (error != std::errc() || stopped != end || limit == 0 || limit > limits::admin_page_max) {
    return Error{Code::invalid,
                 "limit must be a number from 1 to " + std::to_string(limits::admin_page_max)};
  }
  return limit;
}

// Where a walk over all shards is: connections of one after the other, then their sessions.
struct Place {
  std::size_t shard = 0;
  PagePlace at;

  [[nodiscard]] std::string text() const {
    return std::string(at.sessions ? "s" : "c") + '.' + std::to_string(shard) + '.' +
           std::to_string(at.index) + '.' + std::to_string(at.inner);
  }
  // False: there is no more.
  bool next_shard(std::size_t shards) {
    at = {at.sessions, 0, 0};
    if (++shard < shards) return true;
    shard = 0;
    return !std::exchange(at.sessions, true);
  }
};

Result<Place> read_place(const Query& query, std::size_t shards) {
  Place place;
  const auto given = query.find("after");
  if (given == query.end()) return place;
  std::string_view text = given->second;
  const Error wrong{Code::invalid, "after must be what `next` of a page said"};
  if (!text.starts_with("c.") && !text.starts_with("s.")) return wrong;
  place.at.sessions = text[0] == 's';
  text.remove_prefix(1);
  std::uint64_t numbers[3];
  for (std::uint64_t& number : numbers) {
    if (!text.starts_with('.')) return wrong;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + 1, end, number);
    if (error != std::errc()) return wrong;
    text.remove_prefix(static_cast<std::size_t>(stopped - text.data()));
  }
  if (!text.empty() || numbers[0] >= shards || std::max(numbers[1], numbers[2]) > UINT32_MAX) {
    return wrong;
  }
  place.shard = numbers[0];
  place.at.index = static_cast<std::uint32_t>(numbers[1]);
  place.at.inner = static_cast<std::uint32_t>(numbers[2]);
  return place;
}

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// False: no hex.
bool read_hex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0) return false;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned byte = 0;
    const std::string_view pair = text.substr(0, 2);
    const char* const stopped =
        std::from_chars(pair.data(), pair.data() + pair.size(), byte, 16).ptr;
    if (stopped != pair.data() + pair.size()) return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

}  // namespace

// Walk: a page that is put together from those of shards, one after the other.
struct Admin::Walk {
  Place place;
  std::size_t limit, count = 0;
  std::string name, entries;  // of the list, as JSON
  Respond respond;

  // How many more are wanted.
  [[nodiscard]] std::size_t left() const { return limit - count; }
  void add(const std::string& entry) { (entries += count++ == 0 ? "" : ",\n") += entry; }
  void finish(bool more) {
    respond(json("{" + json_text(name) + ":[" + entries +
                 "],\"next\":" + (more ? json_text(place.text()) : "null") + "}"));
  }
};

template <class Page, class Add>
void Admin::step(const std::shared_ptr<Walk>& walk, const Add& add) {
  const std::size_t shard = walk->place.shard;
  view_.loops[shard]->post([this, shard, walk, add] {
    auto page = std::make_shared<Page>();
    page->at = walk->place.at;
    page->limit = walk->left();
    view_.shards[shard]->list(*page);
    view_.control.post([this, walk, add, page] {
      add(*walk, *page);
      walk->place.at = page->at;
      if (page->done && !walk->place.next_shard(view_.shards.size())) return walk->finish(false);
      if (walk->left() == 0) return walk->finish(true);
      step<Page>(walk, add);
    });
  });
}

// The beginning of a request for pages; null: it was refused.
std::shared_ptr<Admin::Walk> Admin::begin_walk(const net::Request& request, const char* name,
                                               const Respond& respond) {
  const auto refuse = [&respond](const Error& error) {
    respond(refusal(error, 404));
    return nullptr;
  };
  if (auto checked = check_sender(request); !checked) return refuse(checked.error());
  const auto query = read_query(request.target, {"after", "limit"});
  if (!query) return refuse(query.error());
  const auto limit = read_limit(*query);
  if (!limit) return refuse(limit.error());
  const auto place = read_place(*query, view_.shards.size());
  if (!place) return refuse(place.error());
  return std::make_shared<Walk>(Walk{*place, *limit, 0, name, {}, respond});
}

void Admin::clients(const net::Request& request, const Respond& respond) {
  const auto walk = begin_walk(request, "clients", respond);
  if (!walk) return;
  step<ClientPage>(walk, [now = view_.control.wall_now()](Walk& to, const ClientPage& page) {
    for (const broker::ClientView& client : page.clients) to.add(to_json(client, now));
  });
}

void Admin::subscriptions(const net::Request& request, const Respond& respond) {
  const auto walk = begin_walk(request, "subscriptions", respond);
  if (!walk) return;
  step<SubscriptionPage>(walk, [](Walk& to, const SubscriptionPage& page) {
    for (const auto& each : page.subscriptions) to.add(to_json(each, true));
  });
}

// ---- one client

// What the home of a client id knows, then what `then` makes of it, on the control loop.
void Admin::with_record(const net::Request& request, const Respond& respond,
                        const WithRecord& then) {
  if (auto checked = check_sender(request); !checked) return respond(refusal(checked.error()));
  const auto id = percent_decoded(request.path().substr(std::string_view("/clients/").size()));
  if (!id) return respond(refusal(id.error()));
  const auto slot = partition::slot_of(partition::KeyKind::client_id, *id);
  const auto home =
      static_cast<std::size_t>(partition::thread_of(slot, static_cast<int>(view_.shards.size())));
  view_.loops[home]->post([this, home, id = *id, respond, then] {
    auto record = std::make_shared<broker::ClientRecord>(view_.shards[home]->record_of(id));
    view_.control.post([id, respond, then, record] {
      if (!record->session && !record->holder) {
        return respond(refusal({Code::not_found, "there is no client " + json_text(id)}, 404));
      }
      then(id, *record, respond);
    });
  });
}

void Admin::client(const net::Request& request, const Respond& respond) {
  with_record(request, respond,
              [this](const std::string& id, const broker::ClientRecord& record,
                     const Respond& answer) { describe(id, record, answer); });
}

void Admin::describe(const std::string& id, const broker::ClientRecord& record,
                     const Respond& respond) {
  struct Seen {
    broker::ClientRecord record;
    std::optional<broker::ClientView> connection;
    SubscriptionPage own;
  };
  auto seen = std::make_shared<Seen>(Seen{record, std::nullopt, {}});
  const auto tell = [this, id, seen, respond] {
    broker::ClientView all = seen->record.session.value_or(broker::ClientView());
    all.client_id = id;
    if (seen->connection) {
      all.connected = seen->connection->connected;
      if (!all.persistent) all = *seen->connection;
    }
    if (!seen->record.session && !seen->connection) {
      return respond(refusal({Code::not_found, "client " + json_text(id) + " has just gone"}, 404));
    }
    std::string entries;
    for (const auto* list : {&seen->record.subscriptions, &seen->own.subscriptions}) {
      for (const auto& each : *list) {
        (entries += entries.empty() ? "" : ",\n") += to_json(each, false);
      }
    }
    std::string object = to_json(all, view_.control.wall_now());
    object.back() = ',';
    respond(json(object + "\"filters\":[" + entries + "]}"));
  };
  if (!record.holder) return tell();
  const broker::ConnectionRef holder = *record.holder;
  view_.loops[holder.shard]->post([this, holder, seen, tell] {
    seen->connection = view_.shards[holder.shard]->view(holder);
    seen->own.limit = limits::admin_subscriptions_max;
    view_.shards[holder.shard]->list(holder, seen->own);
    view_.control.post(tell);
  });
}

void Admin::kick(const net::Request& request, const Respond& respond) {
  with_record(
      request, respond,
      [this](const std::string& id, const broker::ClientRecord& record, const Respond& answer) {
        const auto missing = [answer, id] {
          answer(refusal({Code::not_found, "client " + json_text(id) + " is not connected"}, 404));
        };
        if (!record.holder) return missing();
        const broker::ConnectionRef holder = *record.holder;
        view_.loops[holder.shard]->post([this, holder, id, answer, missing] {
          const bool kicked = view_.shards[holder.shard]->kick(holder);
          view_.control.post([id, answer, missing, kicked] {
            if (!kicked) return missing();
            log_info("kicked", {{"client", id}});
            answer(json("{\"kicked\":" + json_text(id) + "}"));
          });
        });
      });
}

// ---- retained messages

void Admin::retained(const net::Request& request, const Respond& respond) {
  if (auto checked = check_sender(request); !checked) return respond(refusal(checked.error()));
  auto query = read_query(request.target, {"filter", "after", "limit"});
  if (!query) return respond(refusal(query.error()));
  const auto limit = read_limit(*query);
  if (!limit) return respond(refusal(limit.error()));
  const std::string filter = query->contains("filter") ? (*query)["filter"] : "#";
  if (const topic::Fault fault = topic::check_filter(filter); fault != topic::Fault::none) {
    return respond(refusal({Code::invalid, "filter: " + std::string(topic::describe(fault))}));
  }
  // The key to go on behind: that of a retained message, and of nothing else.
  broker::RetainedRequest wanted;
  if (const auto after = query->find("after"); after != query->end()) {
    std::string key;
    const bool whole = read_hex(after->second, key) && key.size() > 3;
    const auto slot =
        partition::SlotId(whole ? static_cast<std::uint8_t>(key[2]) : std::uint8_t{0});
    if (!whole || !key.starts_with(prefix(broker::records::Table::retained, slot))) {
      return respond(refusal({Code::invalid, "after must be what `next` of a page said"}));
    }
    wanted.slot = slot.value;
    wanted.after = std::move(key);
  }
  wanted.filters = std::make_shared<const std::vector<std::string>>(1, filter);
  if (retained_reads_ >= limits::retained_reads_max) {
    return respond(refusal({Code::conflict, "too many are reading what is retained: try again"}));
  }
  ++retained_reads_;
  view_.ports.pool.run([this, wanted, limit = *limit, respond] {
    net::Response response = read_retained_page(wanted, limit);
    view_.control.post([this, respond, response = std::move(response)] {
      --retained_reads_;
      respond(response);
    });
  });
}

// On the pool.
net::Response Admin::read_retained_page(const broker::RetainedRequest& wanted,
                                        std::size_t limit) const {
  using broker::records::Table;
  broker::RetainedPage page;
  if (auto read = broker::read_retained(view_.ports.store, wanted, 0, 1, page); !read) {
    return refusal(read.error());
  }
  std::string entries, after = page.after;
  for (std::size_t i = 0; i < page.entries.size() && i < limit; ++i) {
    const auto decoded = message::decode(as_bytes(page.entries[i].message));
    if (!decoded) continue;
    const std::string_view name = decoded->message.topic;
    (entries += entries.empty() ? "" : ",\n") += to_json(decoded->message);
    if (i + 1 == limit && page.entries.size() > limit) {
      after = key(Table::retained, partition::slot_of(partition::KeyKind::topic, name), name);
    }
  }
  return json("{\"retained\":[" + entries +
              "],\"next\":" + (after.empty() ? "null" : json_text(hex(after))) + "}");
}

}  // namespace gnomon::server
