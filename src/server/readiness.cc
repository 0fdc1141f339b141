#include "server/readiness.h"

#include <utility>

#include "base/limits.h"

namespace gnomon::server {

Readiness::Readiness(runtime::Loop& control, std::vector<runtime::Loop*> loops,
                     const store::Store& store)
    : control_(control), loops_(std::move(loops)), store_(store), silent_(loops_.size(), false) {}

std::string Readiness::reason() const {
  switch (phase_.load()) {
    case Phase::starting:
      return "starting: what was kept is being read";
    case Phase::stopping:
      return "stopping";
    case Phase::ready:
      break;
  }
  if (!store_.accepting()) {
    return "the disk is full: less is free than disk.reserve, and nothing new is kept";
  }
  return "";
}

void Readiness::ask(Answer answer) {
  if (const std::string why = reason(); !why.empty()) return answer(why);
  waiting_.push_back(std::move(answer));
  if (missing_ > 0) {
    // A question that nobody has answered in time is not asked again.
    if (control_.now() - asked_ >= limits::loop_stalled) return on_timer();
    if (!armed()) control_.timers().arm(*this, asked_ + limits::loop_stalled);
    return;
  }
  asked_ = control_.now();
  missing_ = loops_.size();
  silent_.assign(loops_.size(), true);
  control_.timers().arm(*this, asked_ + limits::loop_stalled);
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->post([this, i] {
      control_.post([this, i] {
        silent_[i] = false;
        answered();
      });
    });
  }
}

void Readiness::answered() {
  if (--missing_ > 0) return;
  disarm();
  tell(reason());
}

void Readiness::on_timer() {
  std::string shards;
  for (std::size_t i = 0; i < silent_.size(); ++i) {
    if (silent_[i]) (shards += shards.empty() ? "" : ", ") += std::to_string(i);
  }
  const auto silence =
      std::chrono::duration_cast<std::chrono::milliseconds>(control_.now() - asked_);
  if (log_limiter_.allow(control_.now()))
    log_warn("loop_stalled", {{"shards", shards}, {"silent_ms", std::int64_t{silence.count()}}});
  tell("stalled: nothing was heard of shard " + shards + " for " + std::to_string(silence.count()) +
       " ms");
}

void Readiness::tell(const std::string& reason) {
  for (const Answer& answer : std::exchange(waiting_, {})) answer(reason);
}

}  // namespace gnomon::server
