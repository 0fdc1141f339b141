// Admin: watching the packets of a client. POST /traces?client=ID begins and answers {"trace":N};
// GET /traces/N takes what has been noted since the last time; DELETE /traces/N ends it, and so
// does time if nobody asks.
#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "server/admin.h"
#include "server/admin_request.h"

namespace gnomon::server {

namespace {

struct Noted {
  std::size_t shard, order;
  broker::TracedPacket packet;
};

net::Response json(std::string body) {
  return {200, {{"Content-Type", "application/json"}}, std::move(body) + '\n'};
}

}  // namespace

Admin::Traced::Traced(Admin& admin, std::uint64_t number, std::string client_id)
    : client(std::move(client_id)), admin_(admin), number_(number) {
  asked();
}

void Admin::Traced::asked() {
  runtime::Loop& control = admin_.view_.control;
  control.timers().arm(*this, control.now() + limits::trace_forgotten);
}

void Admin::Traced::on_timer() { admin_.end_trace(number_); }

void Admin::begin_trace(const net::Request& request, const Respond& respond) {
  if (auto checked = check_sender(request); !checked) return respond(refusal(checked.error()));
  const auto query = read_query(request.target, {"client"});
  if (!query) return respond(refusal(query.error()));
  const auto given = query->find("client");
  if (given == query->end() || given->second.empty()) {
    return respond(refusal({Code::invalid, "client=ID is missing: whose packets?"}));
  }
  const std::string& id = given->second;
  const bool watched =
      std::ranges::any_of(traces_, [&](const auto& each) { return each.second->client == id; });
  if (watched) {
    return respond(refusal({Code::conflict, "somebody watches client " + json_text(id) +
                                                " already; that ends 15 s after the last look"}));
  }
  if (traces_.size() >= limits::traces_max) {
    return respond(refusal({Code::conflict, "too many clients are watched: 16 at most"}));
  }
  const std::uint64_t number = next_trace_++;
  traces_.emplace(number, std::make_unique<Traced>(*this, number, id));
  const auto home = static_cast<std::size_t>(
      partition::thread_of(partition::slot_of(partition::KeyKind::client_id, id),
                           static_cast<int>(view_.shards.size())));
  auto missing = std::make_shared<std::atomic<std::size_t>>(view_.shards.size());
  for (std::size_t i = 0; i < view_.shards.size(); ++i) {
    view_.loops[i]->post([this, i, id, home, number, respond, missing] {
      view_.shards[i]->trace(id);
      if (--*missing > 0) return;
      // All note it from now on; the connection that is there is named to them by its home.
      view_.loops[home]->post([this, home, id, number, respond] {
        const auto holder = view_.shards[home]->record_of(id).holder;
        if (holder) {
          view_.loops[holder->shard]->post(
              [this, ref = *holder] { view_.shards[ref.shard]->watch(ref); });
        }
        const bool connected = holder.has_value();
        view_.control.post([number, connected, respond] {
          respond(json("{\"trace\":" + std::to_string(number) +
                       ",\"connected\":" + (connected ? "true" : "false") + "}"));
        });
      });
    });
  }
}

// The number of a trace that there is; null: refused.
Admin::Traced* Admin::find_trace(const net::Request& request, std::uint64_t& number,
                                 const Respond& respond) {
  if (auto checked = check_sender(request); !checked) {
    respond(refusal(checked.error()));
    return nullptr;
  }
  const std::string_view text = request.path().substr(std::string_view("/traces/").size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto found = traces_.find(number);
  if (error != std::errc() || end != text.data() + text.size() || found == traces_.end()) {
    respond(refusal({Code::not_found, "there is no such trace: it has ended"}, 404));
    return nullptr;
  }
  return found->second.get();
}

void Admin::trace(const net::Request& request, const Respond& respond) {
  std::uint64_t number = 0;
  Traced* traced = find_trace(request, number, respond);
  if (traced == nullptr) return;
  traced->asked();
  struct Taken {
    std::vector<std::vector<broker::TracedPacket>> packets;  // by shard
    std::vector<std::uint64_t> dropped;
    std::atomic<std::size_t> missing;
  };
  auto taken = std::make_shared<Taken>();
  taken->packets.resize(view_.shards.size());
  taken->dropped.resize(view_.shards.size());
  taken->missing = view_.shards.size();
  for (std::size_t i = 0; i < view_.shards.size(); ++i) {
    view_.loops[i]->post([this, i, client = traced->client, taken, respond] {
      taken->packets[i] = view_.shards[i]->take_trace(client, taken->dropped[i]);
      if (--taken->missing > 0) return;
      view_.control.post([taken, respond] {
        std::vector<Noted> all;
        std::uint64_t dropped = 0;
        for (std::size_t shard = 0; shard < taken->packets.size(); ++shard) {
          dropped += taken->dropped[shard];
          for (auto& packet : taken->packets[shard])
            all.push_back({shard, all.size(), std::move(packet)});
        }
        std::ranges::sort(all, {}, [](const Noted& each) {
          return std::tuple(each.packet.at.ms, each.shard, each.order);
        });
        std::string entries;
        for (const Noted& each : all) {
          (entries += entries.empty() ? "" : ",\n") +=
              "{\"at_ms\":" + std::to_string(each.packet.at.ms) +
              ",\"shard\":" + std::to_string(each.shard) + ",\"from\":\"" +
              (each.packet.received ? "client" : "server") + "\",\"packet\":";
          append_json(entries, each.packet.what);
          entries += '}';
        }
        respond(
            json("{\"packets\":[" + entries + "],\"dropped\":" + std::to_string(dropped) + "}"));
      });
    });
  }
}

void Admin::delete_trace(const net::Request& request, const Respond& respond) {
  std::uint64_t number = 0;
  if (find_trace(request, number, respond) == nullptr) return;
  end_trace(number);
  respond(json("{\"ended\":" + std::to_string(number) + "}"));
}

void Admin::end_trace(std::uint64_t number) {
  const auto found = traces_.find(number);
  for (std::size_t i = 0; i < view_.shards.size(); ++i) {
    view_.loops[i]->post(
        [this, i, client = found->second->client] { view_.shards[i]->end_trace(client); });
  }
  traces_.erase(found);
}

}  // namespace gnomon::server
