#include "runtime/pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/sim.h"

namespace gnomon::runtime {
namespace {

// Lets threads wait until `n` of them, or of their doings, have come.
class Latch {
 public:
  void arrive() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void wait(int n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

TEST_CASE("every task of four threads runs once") {
  Latch done;
  std::atomic<int> sum{0};
  const auto pool = make_thread_pool(3, "pool");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 1; i <= 500; ++i) {
        pool->run([&, i] {
          sum += i;
          done.arrive();
        });
      }
    });
  }
  done.wait(2000);
  for (auto& thread : threads) thread.join();
  CHECK(sum == 4 * 500 * 501 / 2);
}

TEST_CASE("as many tasks run at a time as there are threads, and a task may give another") {
  Latch met, done;
  const auto pool = make_thread_pool(2, "pool");
  for (int i = 0; i < 2; ++i) {
    pool->run([&] {
      met.arrive();
      met.wait(2);  // one thread alone would stay here for ever
      pool->run([&] { done.arrive(); });
    });
  }
  done.wait(2);
}

TEST_CASE("a stop waits for the task that runs and drops the ones that wait") {
  Latch running, go;
  std::atomic<int> finished{0}, late{0};
  const auto held = std::make_shared<int>(1);
  auto pool = make_thread_pool(1, "pool");
  Pool& borrowed = *pool;
  pool->run([&] {
    running.arrive();
    go.wait(1);
    borrowed.run([&late] { ++late; });  // before or after the stop began: it does not run
    ++finished;
  });
  running.wait(1);
  for (int i = 0; i < 10; ++i) pool->run([&late, held] { ++late; });
  // Once the waiting tasks are dropped the stop has begun, and the running one may end.
  std::thread stopper([&] { pool.reset(); });
  while (held.use_count() > 1) std::this_thread::yield();
  go.arrive();
  stopper.join();
  CHECK(finished == 1);
  CHECK(late == 0);
}

TEST_CASE("in the simulation tasks run in turns of their loop, mixed with those of others") {
  std::vector<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimNetwork network(seed);
    const auto loop = network.make_loop(), other = network.make_loop();
    loop->start("pool");
    other->start("other");
    LoopPool pool(*loop);
    std::string order;
    pool.run([&] { order += 'p'; });
    other->post([&] { order += 'o'; });
    CHECK(order.empty());
    network.run();
    CHECK(order.size() == 2);
    orders.push_back(order);
    loop->stop();
    other->stop();
  }
  CHECK(std::find(orders.begin(), orders.end(), "po") != orders.end());
  CHECK(std::find(orders.begin(), orders.end(), "op") != orders.end());
}

}  // namespace
}  // namespace gnomon::runtime
