#include "runtime/pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>
#include <vector>

namespace gnomon::runtime {

namespace {

class ThreadPool final : public Pool {
 public:
  ThreadPool(int threads, const std::string& name) {
    for (int i = 0; i < std::max(threads, 1); ++i) {
      threads_.emplace_back([this, name] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        work();
      });
    }
  }

  ~ThreadPool() override {
    std::deque<std::function<void()>> dropped;  // destroyed without the lock: they may own anything
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      dropped.swap(tasks_);
    }
    wake_.notify_all();
    dropped.clear();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(std::function<void()> task) override {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
        if (stopping_) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // this and the next under mutex_
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // last: they use what is above
};

}  // namespace

std::unique_ptr<Pool> make_thread_pool(int threads, const std::string& name) {
  return std::make_unique<ThreadPool>(threads, name);
}

void LoopPool::run(std::function<void()> task) { loop_.post(std::move(task)); }

}  // namespace gnomon::runtime
