// What streams that lie on another one have in common (TLS, WebSocket). Internal to net.
#pragma once

#include <utility>

#include "runtime/loop.h"

namespace gnomon::net {

// Layer: a stream over the stream below, which it hears, and for its user.
class Layer : public runtime::Stream, protected runtime::StreamHandler {
 public:
  void set_handler(runtime::StreamHandler& handler) final {
    if (user_ != nullptr) user_ = &handler;
  }
  [[nodiscard]] std::uint32_t progress() const final { return below_ ? below_->progress() : 0; }

 protected:
  Layer(runtime::Loop& loop, runtime::StreamHandler& user) : Stream(loop), user_(&user) {
    is_layer_ = true;
  }
  void lie_on(runtime::StreamPtr below) {
    below_ = std::move(below);
    peer_ = below_->peer();
  }
  [[nodiscard]] std::size_t pending_below() const final { return below_ ? below_->pending() : 0; }

  runtime::StreamPtr below_;      // null: closed, or ended
  runtime::StreamHandler* user_;  // null: the same
};

}  // namespace gnomon::net
