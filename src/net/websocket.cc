#include "net/websocket.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "net/layer.h"
#include "net/websocket_frame.h"

namespace gnomon::net {
namespace {

// What one frame holds at most: a client that gathers whole frames is to get the first bytes of a
// long turn before the last.
constexpr std::size_t frame_bytes = 65535;

// What a client needs until the server has agreed.
struct Opening {
  WebSocketClient client;
  std::string key;
  bool asked = false;
};

// WebSocketStream: payload over the frames of the stream below. Input is unframed where it lies and
// handed on in one piece; output is framed once a turn, straight into the output of the stream
// below. Owner: its user, through StreamPtr.
class WebSocketStream final : public Layer {
 public:
  WebSocketStream(runtime::Loop& loop, runtime::StreamHandler& user, Random* random)
      : Layer(loop, user),
        random_(random),
        reader_(random == nullptr ? WebSocketRole::server : WebSocketRole::client) {}
  ~WebSocketStream() override = default;

  void serve(runtime::StreamPtr below, ByteView unread);
  void connect(WebSocketClient client);

  void pause() override;
  void resume() override;
  void go_away() override { farewell_ = close_code::going_away; }
  [[nodiscard]] const runtime::Security* security() const override {
    return below_ ? below_->security() : nullptr;
  }

 private:
  void on_connected() override;
  void on_input(std::span<std::uint8_t> bytes) override;
  void on_bytes(ByteView) override {}  // on_input() takes them all
  void on_drained() override;
  void on_ended(runtime::Ended why) override;
  void write_output() override;
  void close(bool flush_first) override;

  void read_opening();
  void read_frames(std::span<std::uint8_t> bytes);
  void read_kept();
  void append_output();
  void say_close(std::uint16_t code, std::string_view why);
  void refuse(const Error& error);
  void end(runtime::Ended why);
  std::optional<WebSocketMask> mask();

  Random* random_;  // of a client's masks; null: a server's side
  std::unique_ptr<Opening> opening_;
  WebSocketReader reader_;
  Buffer kept_;  // received, not read yet
  bool paused_ = false;
  std::uint16_t farewell_ = close_code::normal;  // said when its user drops it
};

// ---- life

void WebSocketStream::serve(runtime::StreamPtr below, ByteView unread) {
  lie_on(std::move(below));
  below_->set_handler(*this);
  kept_.append(unread);
  if (!kept_.empty()) flush();
}

void WebSocketStream::connect(WebSocketClient client) {
  opening_ = std::make_unique<Opening>();
  opening_->client = std::move(client);
  opening_->key = make_websocket_key(*random_);
  lie_on(opening_->client.connect(*this));
}

void WebSocketStream::on_connected() {
  if (!opening_) return;
  append_request(below_->output(), opening_->client.call, opening_->key);
  below_->flush();
  opening_->asked = true;
}

void WebSocketStream::on_ended(runtime::Ended why) {
  // By an end with an error the stream below says itself what is wrong.
  if (opening_ && opening_->asked && why != runtime::Ended::error)
    return refuse({Code::unavailable,
                   "the server closed the connection instead of answering the "
                   "request for WebSocket"});
  end(why);
}

// The server did not agree.
void WebSocketStream::refuse(const Error& error) {
  const auto refused = std::move(opening_->client.refused);
  if (refused) refused(error);
  if (user_ != nullptr) end(runtime::Ended::error);
}

void WebSocketStream::say_close(std::uint16_t code, std::string_view why) {
  append_close(below_->output(), code, why, mask());
  // A stream that is dropped while it is paused waits for what its peer sends, and throws it away:
  // its close frame is to meet no closed socket, or the reset would overtake ours.
  below_->pause();
}

void WebSocketStream::end(runtime::Ended why) {
  below_.reset();
  opening_.reset();
  kept_.release();
  if (auto* user = std::exchange(user_, nullptr)) user->on_ended(why);
}

void WebSocketStream::close(bool flush_first) {
  user_ = nullptr;
  if (below_ && flush_first && !opening_) {
    append_output();
    say_close(farewell_, {});
  }
  below_.reset();
  opening_.reset();
  bury_layer();
}

// ---- input

void WebSocketStream::pause() {
  paused_ = true;
  if (below_) below_->pause();
}

// What was kept is read at the end of this turn: nobody expects input inside of resume().
void WebSocketStream::resume() {
  if (!std::exchange(paused_, false) || !below_) return;
  if (!kept_.empty()) flush();
  below_->resume();
}

void WebSocketStream::on_input(std::span<std::uint8_t> bytes) {
  if (kept_.empty() && !opening_) return read_frames(bytes);
  kept_.append(bytes);
  if (opening_) return read_opening();
  if (!paused_) read_kept();
}

void WebSocketStream::read_kept() {
  Buffer kept = std::move(kept_);
  read_frames({kept.data(), kept.size()});
}

void WebSocketStream::read_opening() {
  const auto read = read_answer(kept_.view(), opening_->client.call, opening_->key);
  if (read && *read == 0) return;
  if (!read) return refuse(read.error());
  kept_.consume(*read);
  opening_.reset();
  if (!kept_.empty() || !output_.empty()) flush();
  user_->on_connected();
}

void WebSocketStream::read_frames(std::span<std::uint8_t> bytes) {
  const WebSocketInput input = reader_.read(bytes);
  if (input.payload > 0) user_->on_input(bytes.first(input.payload));
  if (user_ == nullptr) return;  // it has dropped the stream
  if (input.close != 0) {
    say_close(input.close, input.fault != nullptr ? input.fault : "");
    return end(input.fault != nullptr ? runtime::Ended::error : runtime::Ended::goodbye);
  }
  if (reader_.owes_pong()) flush();
}

// ---- output

std::optional<WebSocketMask> WebSocketStream::mask() {
  if (random_ == nullptr) return std::nullopt;
  WebSocketMask made{};
  random_->fill(made);
  return made;
}

void WebSocketStream::append_output() {
  Buffer& out = below_->output();
  // Pings of a peer that does not read are not to be a burden.
  if (reader_.owes_pong() && below_->pending() <= limits::pong_output_bytes)
    reader_.append_pong(out, mask());
  ByteView rest = output_.view();
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.size(), frame_bytes);
    append_frame(out, WebSocketOpcode::binary, rest.first(size), mask());
    rest = rest.subspan(size);
  }
  if (output_.capacity() != 0) give_back_output();
}

void WebSocketStream::write_output() {
  if (!kept_.empty() && !paused_ && !opening_ && user_ != nullptr) read_kept();
  if (!below_ || user_ == nullptr) {
    if (output_.capacity() != 0) give_back_output();
    return;
  }
  if (opening_) return;  // it waits for the server to agree
  append_output();
  write_through(*below_);
}

void WebSocketStream::on_drained() {
  if (user_ == nullptr || opening_) return;
  if (reader_.owes_pong()) flush();
  user_->on_drained();
}

}  // namespace

runtime::StreamPtr open_websocket(runtime::StreamPtr below, ByteView unread,
                                  runtime::StreamHandler& handler) {
  auto* stream = new WebSocketStream(below->loop(), handler, nullptr);
  runtime::StreamPtr held(stream);
  stream->serve(std::move(below), unread);
  return held;
}

runtime::StreamPtr connect_websocket(runtime::Loop& loop, Random& random, WebSocketClient client,
                                     runtime::StreamHandler& handler) {
  auto* stream = new WebSocketStream(loop, handler, &random);
  runtime::StreamPtr held(stream);
  stream->connect(std::move(client));
  return held;
}

}  // namespace gnomon::net
