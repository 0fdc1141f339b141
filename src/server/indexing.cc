#include "server/indexing.h"

#include <array>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "fleet/indexing.h"
#include "registry/indexing.h"
#include "shadow/service.h"

namespace gnomon::server {

Result<void> Indexing::begin(WallTime now) {
  auto what = index::load_configuration(setup_.store);
  if (!what) return what.error();
  if (what->connectivity) {
    if (auto done = fleet::disconnect_all(setup_.registry, setup_.store, now); !done) return done;
  }
  running_ = true;
  tell(std::make_shared<const index::Configuration>(*std::move(what)));
  return {};
}

void Indexing::changed() {
  setup_.control.post([this] {
    again_ = true;
    look();
  });
}

void Indexing::look() {
  if (running_ || !again_) return;
  again_ = false;
  running_ = true;
  setup_.pool.run([this] {
    auto what = index::load_configuration(setup_.store);
    if (!what) return failed(what.error());
    setup_.control.post([this, what = std::make_shared<const index::Configuration>(
                                   *std::move(what))] { tell(what); });
  });
}

// Whoever writes knows before anything is walked: what changes behind the walk is indexed by them.
void Indexing::tell(std::shared_ptr<const index::Configuration> what) {
  what_ = std::move(what);
  building_ = what_->building;
  setup_.shadows.set_index(
      what_, [this] { setup_.connectivity.set_index(*what_, [this] { next(Step::clear, ""); }); });
}

void Indexing::next(Step step, std::string place) {
  setup_.control.post([this, step, place = std::move(place)] { run(step, place); });
}

void Indexing::run(Step step, std::string place) {
  const bool idle = !what_->building && !what_->clearing;
  if (again_ || idle) {
    running_ = false;
    return look();
  }
  if (step != Step::clear && !setup_.store.accepting()) {  // it goes on when there is space
    step_ = step;
    place_ = std::move(place);
    constexpr std::chrono::seconds later{1};
    return setup_.control.timers().arm(*this, setup_.control.now() + later);
  }
  setup_.pool.run([this, step, place = std::move(place)] { work(step, place); });
}

void Indexing::work(Step step, const std::string& place) {
  switch (step) {
    case Step::clear: {
      if (!what_->clearing) return next(Step::things, "");
      if (auto done = fleet::clear(setup_.store, *what_); !done) return failed(done.error());
      return next(Step::things, "");
    }
    case Step::things: {
      if (!what_->building || !what_->registry) return next(Step::settle, "");
      auto last = fleet::index_things(setup_.registry, place);
      if (!last) return failed(last.error());
      if (last->empty()) return next(Step::shadows, "");
      things_ += limits::index_slice;
      return next(Step::things, *std::move(last));
    }
    case Step::shadows:
      return index_shadows(place);
    case Step::connections:
      if (!what_->connectivity) return next(Step::settle, "");
      return setup_.connectivity.record_all([this] { next(Step::settle, ""); });
    case Step::settle: {
      const auto done = registry::settle_index(setup_.registry, *what_);
      if (!done) return failed({Code::unavailable, done.error().message});
      // Another one since then: changed() has been called, or is about to be.
      if (done->value) log_info("index_settled", {{"things", what_->registry ? "on" : "off"}});
      return setup_.control.post([this, settled = done->value] {
        running_ = false;
        if (settled) building_ = false;
        look();
      });
    }
  }
}

// Slice: shadows that are asked to be indexed. The last one to be done goes on; if one was refused,
// since there are too many requests, with all of them again.
struct Indexing::Slice {
  Slice(Indexing& indexing, std::string begin, std::string end)
      : of(indexing), place(std::move(begin)), last(std::move(end)) {}
  ~Slice() {
    if (refused) {
      of.next(Step::shadows, std::move(place));
    } else {
      of.next(last.empty() ? Step::connections : Step::shadows, std::move(last));
    }
  }
  Slice(const Slice&) = delete;
  Slice& operator=(const Slice&) = delete;

  Indexing& of;
  std::string place, last;
  std::atomic<bool> refused{false};
};

void Indexing::index_shadows(const std::string& place) {
  auto found = shadow::list_addresses(setup_.store, place, limits::index_slice);
  if (!found) return failed(found.error());
  std::erase_if(found->addresses, [this](const shadow::Address& address) {
    return !what_->indexes_shadow(address.name);
  });
  shadows_ += found->addresses.size();
  const auto slice = std::make_shared<Slice>(*this, place, std::move(found->last));
  for (shadow::Address& address : found->addresses) {
    setup_.shadows.ask({std::move(address),
                        shadow::Ask::index,
                        "",
                        0,
                        {shadow::Source::http, "", ""},
                        [slice](const shadow::Told& told) {
                          if (told.rejection) slice->refused = true;
                        }});
  }
}

void Indexing::failed(const Error& error) {
  log_error("index_failed", {{"what", error.message},
                             {"then", "UpdateIndexingConfiguration or a restart tries again"}});
  setup_.control.post([this] {
    running_ = false;
    look();
  });
}

metrics::Sample Indexing::sample() const {
  using metrics::Kind;
  static constexpr auto rows = std::to_array<metrics::Row>({
      {"gnomon_index_building", Kind::gauge, "", "1 while the fleet index is being built."},
      {"gnomon_index_things_total", Kind::counter, "", "Things that building has looked at."},
      {"gnomon_index_shadows_total", Kind::counter, "", "Shadows that building has indexed."},
  });
  return {rows, {building_ ? 1U : 0U, things_.load(), shadows_.load()}};
}

}  // namespace gnomon::server
