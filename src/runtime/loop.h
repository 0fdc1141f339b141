// The event loop as its users see it: completion-shaped streams, timers, turns. epoll stays in
// epoll_loop.cc; sim.h has a loop without a kernel, for tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "runtime/timer.h"

namespace gnomon::runtime {

class Loop;

// A host and a port, as given ("127.0.0.1:1883", "[::1]:0", "localhost:1883") or as bound.
struct Address {
  std::string host;  // an IPv4 or IPv6 literal once resolved
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
};
// Errors: invalid (no port, port out of range, empty host).
Result<Address> parse_address(std::string_view text);
[[nodiscard]] std::string to_string(const Address& address);
[[nodiscard]] bool is_loopback(const Address& address);

// Who is at the other end: 16 bytes of IPv6 (IPv4 mapped) and a port; made into text when asked.
struct Peer {
  std::uint8_t ip[16] = {};
  std::uint16_t port = 0;
  [[nodiscard]] std::string to_string() const;  // "127.0.0.1:4711", "[2001:db8::1]:4711"
  [[nodiscard]] std::string address() const;    // "127.0.0.1", "2001:db8::1"
  [[nodiscard]] bool is_loopback() const;
};

// What a layer of encryption below a stream's user knows.
struct Security {
  std::string version;      // "TLSv1.3"
  std::string protocol;     // what ALPN has chosen; empty: nothing
  std::string host;         // the name that the client asks for (SNI); empty: none
  std::string certificate;  // the peer's leaf, DER; empty: it has shown none. It holds the key, but
                            // nobody has checked who has signed it
  bool resumed = false;
};

// A connected socket on its way from the acceptor to the loop that will own it. Trivially copied
// into mail; whoever holds it last adopts or discards it.
struct Accepted {
  int fd = -1;  // a descriptor; in the simulation the number of a pipe's end
  Peer peer;
};

// Why a stream ended. `goodbye`: its peer has said so in the protocol of a layer (a close frame of
// WebSocket), where by_peer is the end of its bytes alone.
enum class Ended : std::uint8_t { by_peer, reset, error, goodbye };

// What a stream tells its user. All calls come on the loop's thread.
class StreamHandler {
 public:
  // Bytes arrived, valid during the call. Each stream with input is served once a turn with at
  // most limits::read_bytes, so that none starves another.
  virtual void on_bytes(ByteView bytes) = 0;
  // The same, and the memory is the handler's to overwrite during the call: for layers that decode
  // in place. Streams call this one.
  virtual void on_input(std::span<std::uint8_t> bytes) { on_bytes(bytes); }
  // connect() succeeded; only streams made with Loop::connect say so, and encrypted ones, when the
  // handshake is done.
  virtual void on_connected() {}
  // Output that the peer was slow to take has all been taken (only after pending() was seen > 0
  // at the end of a turn).
  virtual void on_drained() {}
  // The stream is finished and no further call comes; unsent output is lost. Not called for a close
  // that its user asked for. Destroy the Stream when convenient, also inside this call.
  virtual void on_ended(Ended why) = 0;

 protected:
  ~StreamHandler() = default;
};

// Stream: one connected byte stream. The user appends to output() and calls flush(); what was
// appended in a turn is written with one system call at the turn's end.
// Owner:   its user, through StreamPtr; bound to one loop and its thread.
class Stream {
 public:
  // The bytes not yet written. Append only; then flush().
  Buffer& output() {
    if (output_.capacity() == 0) [[unlikely]]
      lend_buffer();
    return output_;
  }
  // In layers the bytes that wait in the stream below count, too.
  [[nodiscard]] std::size_t pending() const {
    return output_.size() + (is_layer_ ? pending_below() : 0);
  }
  // Writes the output at the end of this turn, once, however often it is called.
  void flush() {
    if (dirty_) return;
    dirty_ = true;
    mark_dirty();
  }
  // No on_bytes() until resumed. Calls that change nothing cost nothing.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // From now on `handler` hears of this stream, unless it has ended: for who reads the beginning
  // and then hands the stream on, with the bytes that came and are not used.
  virtual void set_handler(StreamHandler& handler) = 0;
  // Its user is about to drop it because the server stops: for layers whose end has a reason.
  virtual void go_away() {}
  [[nodiscard]] Loop& loop() const { return loop_; }
  [[nodiscard]] const Peer& peer() const { return peer_; }
  void set_peer(const Peer& peer) { peer_ = peer; }
  // Grows whenever the peer has taken something: one that stands still has a peer that does not
  // read.
  [[nodiscard]] virtual std::uint32_t progress() const { return progress_; }
  // Null: the stream is not encrypted, or its handshake is not done.
  [[nodiscard]] virtual const Security* security() const { return nullptr; }

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 protected:
  explicit Stream(Loop& loop) : loop_(loop) {}
  virtual ~Stream();
  virtual void write_output() = 0;           // at the end of the turn
  virtual void close(bool flush_first) = 0;  // frees itself when nothing refers to it any more
  void lend_buffer();
  void mark_dirty();

  // For streams that lie on another one (TLS, WebSocket).
  [[nodiscard]] virtual std::size_t pending_below() const { return 0; }
  static void write_through(Stream& below) {  // now, not at the turn's end
    below.write_output();
    below.count_unsent();
  }
  void give_back_output();  // it is empty
  // Tells the loop what is left of the output, after a part of it was written.
  void count_unsent();
  // Frees this stream at the end of the turn, when nothing refers to it any more.
  void bury_layer();

  friend class Loop;
  friend struct StreamCloser;
  Loop& loop_;
  Buffer output_;
  Peer peer_;
  std::uint32_t counted_ = 0;  // of output_, in the loop's unsent()
  std::uint32_t progress_ = 0;
  bool dirty_ = false;
  bool is_layer_ = false;  // pending_below() counts
};

// Dropping the pointer closes the stream: after its output was written (at most
// `linger`, a few seconds, without the user) or at once if nothing is pending.
struct StreamCloser {
  void operator()(Stream* stream) const { stream->close(true); }
};
using StreamPtr = std::unique_ptr<Stream, StreamCloser>;

// A listening socket. Destroying it stops listening.
class Listener {
 public:
  virtual ~Listener() = default;
  [[nodiscard]] virtual const Address& address() const = 0;  // with the port that was bound
};

// What the loop calls once a turn.
class TurnHandler {
 public:
  // Called in every turn after input and timers were handled and before output is written: the
  // place to read mail, and to hand over mail to others. Returns true if there is more to do at
  // once, so that the loop does not sleep.
  virtual bool on_turn() = 0;
  // Called before the loop sleeps; true if there is mail, so that it does not.
  [[nodiscard]] virtual bool has_mail() const = 0;

 protected:
  ~TurnHandler() = default;
};

// Loop: one thread's world. A turn is: wait → input and timers → on_turn() → output.
// Threads: wake() and post() any; everything else its own thread, or before start().
class Loop {
 public:
  virtual ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // The clocks as of the start of this turn.
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] WallTime wall_now() const { return wall_now_; }
  Timers& timers() { return timers_; }
  void set_turn_handler(TurnHandler* handler) { turn_handler_ = handler; }

  // Takes over an accepted socket. `handler` outlives the stream.
  virtual StreamPtr adopt(const Accepted& accepted, StreamHandler& handler) = 0;
  // Closes an accepted socket that nobody wants.
  virtual void discard(const Accepted& accepted) = 0;
  // Connects; on_connected() or on_ended() follows. `address.host` is a literal.
  virtual StreamPtr connect(const Address& address, StreamHandler& handler) = 0;
  // Listens. `on_accept` is called with batches, in this loop's turns. Out of descriptors is
  // survived: the newest is refused, others wait.
  // Errors: unavailable (address in use, not ours, no permission; the message says which).
  using OnAccept = std::function<void(std::span<const Accepted>)>;
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address, OnAccept on_accept) = 0;

  // Makes the loop take another turn if it sleeps. Cheap when it does not.
  virtual void wake() = 0;
  // Runs `task` on the loop's thread, in a later turn. For control, never per message.
  virtual void post(std::function<void()> task) = 0;

  // Runs turns on a thread of its own (named `name`, at most 15 characters) until stop().
  virtual void start(const std::string& name) = 0;
  // Stops after the current turn and joins the thread. Streams must be gone or are cut off.
  virtual void stop() = 0;

  // Streams whose user is gone while the peer has not taken their last output yet.
  [[nodiscard]] virtual std::size_t closing() const { return 0; }

  // Bytes of output that peers have not taken, as of the last writes. On the loop's own thread.
  [[nodiscard]] std::size_t unsent() const { return unsent_; }
  // Counters, for metrics. Read on the loop's own thread.
  struct Stats {
    std::uint64_t turns = 0, reads = 0, writes = 0, bytes_read = 0, bytes_written = 0;
    std::uint64_t wakes = 0, short_writes = 0, accepted = 0, accept_failures = 0;
  };
  [[nodiscard]] const Stats& stats() const { return stats_; }

 protected:
  Loop() = default;
  friend class Stream;
  // Writes the output of every stream that asked for it, and frees the layers that are gone.
  void write_dirty();
  void give_back(Buffer&& buffer);  // an emptied output buffer, for the next that needs one

  Instant now_{};
  WallTime wall_now_{};
  Timers timers_;
  TurnHandler* turn_handler_ = nullptr;
  std::vector<Stream*> dirty_, writing_, gone_layers_;
  std::vector<Buffer> free_buffers_;
  std::size_t free_bytes_ = 0, unsent_ = 0;
  Stats stats_;
};

}  // namespace gnomon::runtime
