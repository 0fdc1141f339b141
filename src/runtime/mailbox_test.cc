#include "runtime/mailbox.h"

#include <atomic>
#include <future>
#include <thread>

#include <doctest/doctest.h>

#include "runtime/network.h"

namespace gnomon::runtime {
namespace {

struct Letter {
  int sender = 0, number = 0;
};

// Reads its mail on its loop's thread, and tells when all has come.
class Reader final : public TurnHandler {
 public:
  Reader(Loop& loop, int senders, int expected)
      : mailbox(loop), next_(static_cast<std::size_t>(senders)), expected_(expected) {
    loop.set_turn_handler(this);
  }
  bool on_turn() override {
    mailbox.take(mail_);
    for (const Letter& letter : mail_) {
      in_order = in_order && letter.number == next_[static_cast<std::size_t>(letter.sender)]++;
      if (++seen_ == expected_) all_.set_value();
    }
    mail_.clear();
    return false;
  }
  [[nodiscard]] bool has_mail() const override { return !mailbox.empty(); }
  void wait() {
    CHECK(all_.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }

  Mailbox<Letter> mailbox;
  bool in_order = true;

 private:
  std::vector<int> next_;
  int expected_, seen_ = 0;
  std::vector<Letter> mail_;
  std::promise<void> all_;
};

// A lost wake-up would leave the reader asleep with mail in the box, and the wait fail.
TEST_CASE("mail of four threads arrives whole, in each sender's order, and no wake-up is lost") {
  constexpr int senders = 4, letters = 5000;
  SystemMonotonicClock monotonic;
  SystemWallClock wall;
  const auto network = make_epoll_network(monotonic, wall);
  const auto loop = network->make_loop();
  Reader reader(*loop, senders, senders * letters);
  loop->start("reader");
  std::vector<std::thread> threads;
  for (int s = 0; s < senders; ++s) {
    threads.emplace_back([&reader, s] {
      std::vector<Letter> batch;
      for (int i = 0; i < letters; ++i) {
        batch.push_back({s, i});
        if (i % (s + 1) == 0) reader.mailbox.push(batch);
      }
      reader.mailbox.push(batch);
    });
  }
  reader.wait();
  for (auto& thread : threads) thread.join();
  loop->stop();
  CHECK(reader.in_order);
}

TEST_CASE("one letter at a time, each sent when the one before has been read") {
  SystemMonotonicClock monotonic;
  SystemWallClock wall;
  const auto network = make_epoll_network(monotonic, wall);
  const auto loop = network->make_loop();
  std::atomic<int> read{0};
  struct Counting final : TurnHandler {
    Counting(Loop& loop, std::atomic<int>& read) : mailbox(loop), read_(read) {
      loop.set_turn_handler(this);
    }
    bool on_turn() override {
      std::vector<Letter> mail;
      mailbox.take(mail);
      read_ += static_cast<int>(mail.size());
      read_.notify_all();
      return false;
    }
    [[nodiscard]] bool has_mail() const override { return !mailbox.empty(); }
    Mailbox<Letter> mailbox;
    std::atomic<int>& read_;
  } reader(*loop, read);
  loop->start("reader");
  for (int i = 0; i < 2000; ++i) {
    std::vector<Letter> batch{{0, i}};
    reader.mailbox.push(batch);
    read.wait(i);
    CHECK(read == i + 1);
  }
  loop->stop();
}

}  // namespace
}  // namespace gnomon::runtime
