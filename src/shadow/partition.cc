#include "shadow/partition.h"

#include <utility>

#include <boost/json.hpp>

#include "base/limits.h"
#include "records/value.h"
#include "shadow/indexing.h"

namespace gnomon::shadow {

namespace {

// What a shadow takes in memory beside its record: its places in the map and in the list.
constexpr std::size_t shadow_bytes = 256;

std::string history_key(const Address& address, std::uint64_t version) {
  return std::string(history_prefix(address).number(version % limits::shadow_history_max).view());
}

void erase_history(store::Batch& batch, const Address& address) {
  const records::Key all = history_prefix(address);
  batch.operations.emplace_back(store::EraseRange{std::string(all.view()), all.behind()});
}

}  // namespace

Partition::Partition(const Setup& setup) : setup_(setup), committer_(setup.store) {}

Seconds Partition::seconds() const {
  return static_cast<Seconds>(setup_.host.wall_now().ms / 1000);
}

// ---- requests

Partition::Shadow& Partition::take(const std::string& key) {
  const auto [at, fresh] = shadows_.try_emplace(key);
  Shadow& shadow = at->second;
  if (fresh) {
    used_.push_front(key);
    shadow.used = used_.begin();
    bytes_ += key.size() + shadow_bytes;
  } else {
    used_.splice(used_.begin(), used_, shadow.used);
  }
  return shadow;
}

void Partition::handle(Request request) {
  ++counts_.open;
  const std::string key = document_key(request.address);
  Shadow& shadow = take(key);
  ++shadow.open;
  if (shadow.known) return carry_out(key, shadow, request);
  shadow.waiting.push_back(std::move(request));
  if (shadow.waiting.size() > 1) return;
  ++counts_.loads;
  setup_.host.read(key);
}

void Partition::reject(Request request, const Rejection& why) {
  ++counts_.open;
  const Token token = token_of_delete(request.payload, setup_.limits);
  at_once_.push_back(told({}, request, why, token));
}

void Partition::loaded(const std::string& key, Result<std::optional<std::string>> value) {
  if (!value) return setup_.host.broken(value.error());
  Shadow& shadow = take(key);
  if (shadow.known) return;
  shadow.known = true;
  if (*value) shadow.record = std::move(**value);
  bytes_ += shadow.record.size();
  for (Request& request : std::exchange(shadow.waiting, {})) carry_out(key, shadow, request);
}

void Partition::carry_out(const std::string& key, Shadow& shadow, Request& request) {
  Document document;
  if (!shadow.record.empty() && !records::read(shadow.record, document)) {
    return setup_.host.broken(
        {Code::unavailable,
         "the shadow '" + request.address.name + "' of thing '" + request.address.thing +
             "' cannot be read from the store; restore a backup (gnomon restore)"});
  }
  if (request.ask == Ask::forget) return forget(key, shadow, request, document);
  Token token;
  if (request.ask == Ask::get) {
    auto text = get(request, document, token);
    return finish(shadow, text ? told(key, request, *std::move(text))
                               : told(key, request, text.error(), token));
  }
  if (request.ask == Ask::index) return index(key, request, document);
  const bool indexed = indexes(request);
  const Document before = indexed ? document : Document();
  auto changed = change(request, std::move(document), token);
  if (!changed) return finish(shadow, told(key, request, changed.error(), token));
  write(key, shadow, request, *changed);
  if (indexed) {
    index_change(request.address, before, changed->document, committer_.batch().operations);
  }
  Outcome outcome = told(key, request, std::move(changed->accepted));
  const std::string prefix = topic_prefix(request.address);
  if (!changed->delta.empty())
    outcome.publications.push_back(
        {prefix + "update/delta", std::move(changed->delta), request.qos});
  if (!changed->documents.empty())
    outcome.publications.push_back(
        {prefix + "update/documents", std::move(changed->documents), request.qos});
  finish(shadow, std::move(outcome));
}

Answer<std::string> Partition::get(Request& request, const Document& document, Token& token) {
  ++counts_.gets;
  auto read = read_get(request.payload, setup_.limits);
  if (!read) return read.error();
  token = *std::move(read);
  return shadow::get(document, token, seconds(), name_of(request.address));
}

Answer<Changed> Partition::change(const Request& request, Document document, Token& token) {
  if (request.ask == Ask::remove) {
    ++counts_.deletions;
    token = token_of_delete(request.payload, setup_.limits);
    return remove(std::move(document), token, seconds(), name_of(request.address));
  }
  ++counts_.updates;
  // What frees nothing is refused while the disk is full.
  if (!setup_.store.accepting()) return Rejection{500, "Internal service failure"};
  if (request.ask == Ask::restore) {
    const auto earlier = json::parse(request.payload);
    if (!earlier) return Rejection{400, "Invalid JSON"};
    return update(document, restoring(document, *earlier), {}, seconds(), setup_.limits);
  }
  const auto read = read_update(request.payload, setup_.limits, token);
  if (!read) return read.error();
  return update(std::move(document), *read, token, seconds(), setup_.limits);
}

void Partition::write(const std::string& key, Shadow& shadow, const Request& request,
                      const Changed& changed) {
  auto& operations = committer_.batch().operations;
  // Its versions begin again: those of the one that was forgotten are not its history.
  if (changed.document.version == 1 && !shadow.record.empty())
    erase_history(committer_.batch(), request.address);
  if (changed.document.deleted) {
    operations.emplace_back(store::Put{deletion_key(request.address, changed.document.changed),
                                       records::write(Deletion())});
  }
  bytes_ -= shadow.record.size();
  shadow.record = records::write(changed.document);
  bytes_ += shadow.record.size();
  operations.emplace_back(store::Put{key, shadow.record});
  operations.emplace_back(store::Put{
      history_key(request.address, changed.document.version),
      records::write(Entry{
          changed.document.version, setup_.host.wall_now(), request.ask, request.who,
          changed.change.size() <= limits::shadow_change_bytes ? changed.change : std::string(),
          changed.state})});
  note_written(key, shadow);
}

void Partition::note_written(const std::string& key, Shadow& shadow) {
  if (!std::exchange(shadow.written, true)) written_.push_back(key);
}

void Partition::index(const std::string& key, Request& request, const Document& document) {
  if (indexes(request) && document.exists())
    index_change(request.address, {}, document, committer_.batch().operations);
  committer_.after({key, {}, std::move(request.then), {}});
}

// Of a shadow that has come back since, only the note of that deletion goes.
void Partition::forget(const std::string& key, Shadow& shadow, Request& request,
                       const Document& document) {
  const bool still =
      document.deleted && deletion_key(request.address, document.changed) == request.payload;
  // Not so: the clock was set back since the sweep looked at it.
  if (!still || forgotten(document, seconds())) {
    store::Batch& batch = committer_.batch();
    batch.operations.emplace_back(store::Erase{std::move(request.payload)});
    if (still) {
      batch.operations.emplace_back(store::Erase{key});
      erase_history(batch, request.address);
      bytes_ -= shadow.record.size();
      shadow.record.clear();
      ++counts_.forgotten;
    }
    note_written(key, shadow);
  }
  finish(shadow, {key, {}, std::move(request.then), {}});
}

// ---- answers

Partition::Outcome Partition::told(const std::string& key, Request& request,
                                   std::string accepted) const {
  Outcome outcome{key, {}, std::move(request.then), {std::nullopt, std::move(accepted)}};
  if (request.ask != Ask::get || request.who.source == Source::mqtt) {
    outcome.publications.push_back(
        {topic_prefix(request.address) + std::string(word_of(request.ask)) + "/accepted",
         outcome.told.payload, request.qos});
  }
  return outcome;
}

Partition::Outcome Partition::told(const std::string& key, Request& request,
                                   const Rejection& rejection, const Token& token) {
  ++(rejection.code == 409   ? counts_.conflicts
     : rejection.code == 429 ? counts_.throttled
                             : counts_.rejected);
  Outcome outcome{key, {}, std::move(request.then), {rejection, rejected(rejection, token)}};
  if (request.who.source == Source::mqtt) {
    outcome.publications.push_back(
        {topic_prefix(request.address) + std::string(word_of(request.ask)) + "/rejected",
         outcome.told.payload, request.qos});
  }
  return outcome;
}

// It tells of what was written before it.
void Partition::finish(const Shadow& shadow, Outcome outcome) {
  if (shadow.written || shadow.sequence > setup_.store.durable()) {
    committer_.after(std::move(outcome));
  } else {
    at_once_.push_back(std::move(outcome));
  }
}

void Partition::leave(Outcome& outcome) {
  --counts_.open;
  if (!outcome.key.empty()) --shadows_.at(outcome.key).open;
  for (const Publication& each : outcome.publications)
    setup_.host.publish(each.topic, each.payload, each.qos);
  if (outcome.then) outcome.then(std::move(outcome.told));
}

// ---- turns

bool Partition::is_due() const {
  return !committer_.idle() || !at_once_.empty() ||
         (committer_.waiting() > 0 && setup_.store.durable() != seen_durable_);
}

void Partition::turn() {
  seen_durable_ = setup_.store.durable();
  if (auto committed = committer_.commit(ready_, failed_); !committed) {
    failed_.clear();  // nobody is told: the process ends
    return setup_.host.broken(committed.error());
  }
  for (const std::string& key : written_) {
    Shadow& shadow = shadows_.at(key);
    shadow.written = false;
    shadow.sequence = committer_.applied();
  }
  written_.clear();
  // What waited first: those of the same shadow that did not have to come after it.
  for (auto* outcomes : {&ready_, &at_once_}) {
    for (Outcome& outcome : *outcomes) leave(outcome);
    outcomes->clear();
  }
  if (committer_.waiting() > 0) setup_.host.request_sync();
  shrink();
}

// Those of which something is still to come are not forgotten.
void Partition::shrink() {
  auto at = used_.end();
  while (bytes_ > setup_.cache_bytes && at != used_.begin()) {
    --at;
    const auto found = shadows_.find(*at);
    if (found->second.open > 0 || found->second.sequence > seen_durable_) continue;
    bytes_ -= at->size() + shadow_bytes + found->second.record.size();
    shadows_.erase(found);
    at = used_.erase(at);
  }
}

Partition::Counts Partition::counts() const {
  Counts counts = counts_;
  counts.cached = shadows_.size();
  counts.cached_bytes = bytes_;
  return counts;
}

}  // namespace gnomon::shadow
