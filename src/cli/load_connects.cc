// Generator: the load of connects.
#include "cli/generator.h"

namespace gnomon::cli {

void Generator::make_connecting() {
  report_.options.publishers = 0;
  for (std::uint32_t i = 0; i < options().subscribers; ++i) {
    LoadClient& client = make_client(i);
    client.leaves = true;
    if (options().resume) client.session = net::TlsLayer::make_session();
  }
}

// Each connects, is accepted, says goodbye, waits for the broker to close, and connects again.
void Generator::run_connects() {
  connect(0, clients_.size());  // where sessions are to be resumed, they are made here
  if (failure_) return;
  report_.latency = {};
  report_.resumed = 0;
  const std::uint64_t before = ready_, planned = planned_ == 0 ? UINT64_MAX : planned_;
  begin();
  reconnecting_ = true;
  for (LoadClient& client : clients_) again_.push_back(&client);
  const Instant until = began_ + Duration(options().publish_for);
  constexpr Duration stall = std::chrono::seconds(10);
  const bool done = run_until("connecting", ready_, stall, [&] {
    // A port that was used rests for a while: a new source address has all of its ports.
    constexpr std::uint64_t each = 10'000, addresses = 250;
    const auto source = static_cast<std::uint32_t>((ready_ - before) / each % addresses);
    for (LoadClient* client : again_) client->source = source;
    return ready_ - before >= planned || (planned_ == 0 && now_ >= until) || report_.closed > 0;
  });
  reconnecting_ = false;
  again_.clear();
  run_until("connecting", left_, stall, [&] { return handshaking_ == 0 || report_.closed > 0; });
  report_.connects = ready_ - before;
  report_.delivery = end(clock_.now());
  if (!failure_ && (!done || handshaking_ > 0) && report_.closed == 0)
    failure_ = Error{Code::unavailable, "the broker answers no more after " +
                                            std::to_string(report_.connects) + " connects"};
}

}  // namespace gnomon::cli
