#include <algorithm>

#include "base/limits.h"
#include "runtime/sim_state.h"

namespace gnomon::runtime {
namespace {

constexpr int timers_per_turn = 1024;

}  // namespace

// ---- pipes

std::size_t SimPipe::room(int to) const {
  const Side& target = side[to];
  if (target.closed) return SIZE_MAX;  // thrown away
  if (target.test && target.reading) return SIZE_MAX;
  return target.in.size() < sim_socket_bytes ? sim_socket_bytes - target.in.size() : 0;
}

void SimPipe::write(int to, Buffer& output) {
  const std::size_t count = std::min(room(to), output.size());
  write_all(to, output.view().first(count));
  output.consume(count);
}

void SimPipe::write_all(int to, ByteView bytes) {
  Side& target = side[to];
  if (target.closed) {
    side[1 - to].reset = true;  // as the kernel answers bytes for a closed socket
    return;
  }
  (target.test && target.reading ? target.taken : target.in).append(bytes);
}

void SimPipe::close(int from, bool with_reset) {
  if (side[from].closed) return;
  side[from].closed = true;
  side[from].stream = nullptr;
  if (with_reset) {
    side[1 - from].reset = true;
    side[1 - from].in.clear();
  } else {
    side[1 - from].fin = true;
  }
}

// ---- streams

SimStream::SimStream(SimLoop& loop, StreamHandler& handler, std::shared_ptr<SimPipe> pipe, int side)
    : Stream(loop),
      pipe_(std::move(pipe)),
      side_(side),
      handler_(&handler),
      connecting_(side == 0) {
  loop.streams_.push_back(this);
  if (pipe_ == nullptr) return;
  mine().stream = this;
  if (side_ == 1) peer_ = pipe_->peer;
}

SimStream::~SimStream() = default;

SimLoop& SimStream::loop() { return static_cast<SimLoop&>(loop_); }

bool SimStream::ready() const {
  if (buried_ || (handler_ == nullptr && !linger_.armed())) return false;
  if (connecting_ || mine().reset) return true;
  if (blocked_ && pipe_->room(other()) > 0) return true;
  return handler_ != nullptr && !paused_ && (!mine().in.empty() || mine().fin);
}

void SimStream::serve() {
  if (connecting_) {
    connecting_ = false;
    if (pipe_ == nullptr) return end(Ended::error);
    if (!output_.empty()) flush();
    return handler_->on_connected();
  }
  if (mine().reset) return handler_ != nullptr ? end(Ended::reset) : bury();
  if (blocked_ && pipe_->room(other()) > 0) {
    pipe_->write(other(), output_);
    ++progress_;
    count_unsent();
    if (output_.empty()) {
      blocked_ = false;
      if (handler_ == nullptr) return bury();
      handler_->on_drained();
    }
  }
  if (handler_ != nullptr && !paused_) deliver();
}

void SimStream::deliver() {
  SimPipe::Side& side = mine();
  if (side.in.empty()) {
    if (side.fin) end(Ended::by_peer);
    return;
  }
  std::size_t count = std::min(side.in.size(), limits::read_bytes);
  if (loop().state_.splitting) count = 1 + loop().state_.random.below(count);
  // A copy of exactly this size: what reads past its end is seen by the address sanitizer.
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[count]);
  std::copy_n(side.in.data(), count, bytes.get());
  side.in.consume(count);
  ++loop().stats_.reads;
  loop().stats_.bytes_read += count;
  handler_->on_input({bytes.get(), count});
}

void SimStream::write_output() {
  if (buried_ || pipe_ == nullptr || mine().closed) {
    output_.clear();
    loop().give_back(std::move(output_));
    return;
  }
  if (connecting_ || blocked_ || output_.empty()) return;
  ++loop().stats_.writes;
  const std::size_t before = output_.size();
  pipe_->write(other(), output_);
  loop().stats_.bytes_written += before - output_.size();
  if (output_.size() < before) ++progress_;
  blocked_ = !output_.empty();
  if (blocked_) {
    ++loop().stats_.short_writes;
  } else {
    loop().give_back(std::move(output_));
  }
}

void SimStream::close(bool flush_first) {
  handler_ = nullptr;
  if (pipe_ == nullptr || mine().closed) return bury();
  if (flush_first && !connecting_ && !mine().reset && !output_.empty()) {
    pipe_->write(other(), output_);
    if (!output_.empty()) {
      blocked_ = true;
      loop().timers_.arm(linger_, loop().now_ + limits::linger_time);
      return;
    }
  }
  bury();
}

void SimStream::end(Ended why) {
  StreamHandler* handler = std::exchange(handler_, nullptr);
  if (pipe_ != nullptr) pipe_->close(side_, false);
  output_.clear();
  handler->on_ended(why);
}

void SimStream::bury() {
  linger_.disarm();
  if (pipe_ != nullptr) pipe_->close(side_, false);
  output_.clear();
  buried_ = true;
}

// ---- listeners

SimListener::SimListener(SimLoop& loop, Address address, Loop::OnAccept on_accept)
    : loop_(loop),
      address_(std::move(address)),
      on_accept_(std::make_shared<Loop::OnAccept>(std::move(on_accept))) {
  loop_.state_.listeners.push_back(this);
}

SimListener::~SimListener() {
  std::erase(loop_.state_.listeners, this);
  for (const Accepted& accepted : waiting_) loop_.discard(accepted);
}

// ---- the loop

SimLoop::SimLoop(SimNetwork::State& state) : state_(state) {
  now_ = state_.clock.now();
  wall_now_ = state_.shown->now();
  state_.loops.push_back(this);
}

SimLoop::~SimLoop() {
  for (SimStream* stream : streams_) {
    if (stream->handler_ == nullptr && !stream->buried_) stream->bury();
    delete stream;
  }
  std::erase(state_.loops, this);
}

StreamPtr SimLoop::adopt(const Accepted& accepted, StreamHandler& handler) {
  const auto found = state_.unadopted.find(accepted.fd);
  if (found == state_.unadopted.end()) throw std::logic_error("adopted twice or never accepted");
  auto* stream = new SimStream(*this, handler, found->second, 1);
  state_.unadopted.erase(found);
  return StreamPtr(stream);
}

void SimLoop::discard(const Accepted& accepted) {
  const auto found = state_.unadopted.find(accepted.fd);
  if (found == state_.unadopted.end()) return;
  found->second->close(1, true);
  state_.unadopted.erase(found);
}

StreamPtr SimLoop::connect(const Address& address, StreamHandler& handler) {
  SimListener* listener = state_.listener_at(address);
  std::shared_ptr<SimPipe> pipe;
  if (listener != nullptr) pipe = state_.connect(*listener);
  return StreamPtr(new SimStream(*this, handler, std::move(pipe), 0));
}

Result<std::unique_ptr<Listener>> SimLoop::listen(const Address& address, OnAccept on_accept) {
  Address bound = address;
  if (bound.port == 0) bound.port = state_.next_port++;
  for (const SimListener* other : state_.listeners) {
    if (other->address_.port == bound.port) {
      return Error{Code::unavailable, "cannot listen on " + to_string(bound) + ": in use"};
    }
  }
  auto listener = std::make_unique<SimListener>(*this, bound, std::move(on_accept));
  return std::unique_ptr<Listener>(std::move(listener));
}

bool SimLoop::has_work() const {
  if (!running_) return false;
  if (woken_ || more_ || !tasks_.empty() || !dirty_.empty()) return true;
  if (turn_handler_ != nullptr && turn_handler_->has_mail()) return true;
  if (timers_.next() <= state_.clock.now()) return true;
  for (const SimListener* listener : state_.listeners) {
    if (&listener->loop_ == this && !listener->waiting_.empty()) return true;
  }
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const SimStream* stream) { return stream->ready(); });
}

void SimLoop::turn() {
  ++stats_.turns;
  woken_ = false;
  now_ = state_.clock.now();
  wall_now_ = state_.shown->now();
  accept();
  serve_streams();
  timers_.run(now_, timers_per_turn);
  std::vector<std::function<void()>> tasks;
  tasks.swap(tasks_);
  for (auto& task : tasks) task();
  more_ = turn_handler_ != nullptr && turn_handler_->on_turn();
  write_dirty();
  std::erase_if(streams_, [](SimStream* stream) {
    if (!stream->forgotten()) return false;
    delete stream;
    return true;
  });
}

void SimLoop::accept() {
  std::vector<SimListener*> mine;
  for (SimListener* listener : state_.listeners) {
    if (&listener->loop_ == this && !listener->waiting_.empty()) mine.push_back(listener);
  }
  for (SimListener* listener : mine) {
    const auto& all = state_.listeners;
    if (std::find(all.begin(), all.end(), listener) == all.end()) continue;  // gone meanwhile
    std::vector<Accepted> batch;
    batch.swap(listener->waiting_);
    stats_.accepted += batch.size();
    const std::shared_ptr<OnAccept> call = listener->on_accept_;
    (*call)(batch);
  }
}

// In an order of the seed's choice; some are left for a later turn, as a kernel may.
void SimLoop::serve_streams() {
  std::vector<SimStream*> ready;
  for (SimStream* stream : streams_) {
    if (stream->ready()) ready.push_back(stream);
  }
  for (std::size_t i = ready.size(); i > 1; --i) {
    std::swap(ready[i - 1], ready[state_.random.below(i)]);
  }
  bool served = false;
  for (SimStream* stream : ready) {
    if (!stream->ready()) continue;  // another's handler changed that
    if (served && state_.random.below(4) == 0) continue;
    served = true;
    stream->serve();
  }
}

}  // namespace gnomon::runtime
