// Workers spin for some tens of microseconds after a job, since the next often follows at once; then sleep.
#include "threads/pool.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/float_environment.h"
#include "machine/process.h"

namespace sterna {
namespace {

constexpr int kSpins = 2000;  // 40 to 100 us before a worker sleeps
constexpr int kSpinsBeforeYield = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct ThreadPool::Impl {
  struct Job {
    void (*call)(void*, size_t, size_t);
    void* task;
    size_t n;
  };

  std::vector<std::thread> workers;
  uint32_t born = machine::fork_generation();
  Job job{};  // may be read after a task of it was taken, until that task is done
  alignas(64) std::atomic<uint32_t> epoch{0};   // grows with every job; also with stop
  alignas(64) std::atomic<uint64_t> ticket{0};  // epoch << 32 | tasks that nobody has taken
  alignas(64) std::atomic<size_t> done{0};      // tasks of the current job that are finished
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};  // a task of the current job had no memory ...
  std::exception_ptr failure;       // ... and this is how the first one said so
  std::atomic<bool> busy{false};    // one job at a time: callers of different objects wait for each other

  /// A pool of an earlier process has lost its threads.
  bool forked() const { return born != machine::fork_generation(); }

  /// A task that fails counts as done: its job ends like any other, and the caller gets to know.
  void call(const Job& j, size_t i, size_t thread) {
    try {
      j.call(j.task, i, thread);
    } catch (...) {
      if (!failed.exchange(true, std::memory_order_relaxed)) failure = std::current_exception();
    }
  }

  void work(size_t thread) {
    uint64_t t = ticket.load(std::memory_order_acquire);
    while (uint32_t(t) != 0) {
      if (!ticket.compare_exchange_weak(t, t - 1, std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      call(job, job.n - uint32_t(t), thread);
      done.fetch_add(1, std::memory_order_release);
      t = ticket.load(std::memory_order_acquire);
    }
  }

  void worker(size_t thread) {
    FloatEnvironment::enter();
    for (uint32_t seen = 0;;) {
      for (int s = 0; s < kSpins && epoch.load(std::memory_order_acquire) == seen; s++) pause();
      epoch.wait(seen, std::memory_order_acquire);
      seen = epoch.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      work(thread);
    }
  }
};

ThreadPool::ThreadPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int n_threads) {
  if (n_threads < 1 || n_threads > kMaxThreads)
    return Status(Code::kInvalidArgument, "[threads] n_threads, got " + std::to_string(n_threads) +
                                              ", expected 1 to " + std::to_string(kMaxThreads));
  std::unique_ptr<ThreadPool> pool(new ThreadPool(std::make_unique<Impl>()));
  Impl* impl = pool->impl_.get();
  try {
    for (int i = 1; i < n_threads; i++) impl->workers.emplace_back([impl, i] { impl->worker(size_t(i)); });
  } catch (const std::system_error&) {
    return Status(Code::kOutOfMemory, "[threads] the system refused to start thread " +
                                          std::to_string(impl->workers.size() + 2) + " of " +
                                          std::to_string(n_threads));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  if (impl_->forked()) {  // the threads are the parent's
    for (std::thread& t : impl_->workers) t.detach();
    return;
  }
  impl_->stop.store(true, std::memory_order_relaxed);
  impl_->epoch.fetch_add(1, std::memory_order_release);
  impl_->epoch.notify_all();
  for (std::thread& t : impl_->workers) t.join();
}

int ThreadPool::size() const { return int(impl_->workers.size()) + 1; }

void ThreadPool::run_erased(size_t n, void (*call)(void*, size_t, size_t), void* task) {
  Impl& p = *impl_;
  if (n <= 1 || p.workers.empty() || p.forked()) {
    for (size_t i = 0; i < n; i++) call(task, i, 0);
    return;
  }
  while (p.busy.exchange(true, std::memory_order_acquire)) p.busy.wait(true, std::memory_order_relaxed);
  p.job = {call, task, n};
  p.failed.store(false, std::memory_order_relaxed);
  p.done.store(0, std::memory_order_relaxed);
  const uint32_t next = p.epoch.load(std::memory_order_relaxed) + 1;
  p.ticket.store(uint64_t(next) << 32 | n, std::memory_order_release);
  p.epoch.store(next, std::memory_order_release);
  p.epoch.notify_all();
  p.work(0);
  for (int s = 0; p.done.load(std::memory_order_acquire) != n; s++)
    s < kSpinsBeforeYield ? pause() : std::this_thread::yield();
  const std::exception_ptr failure =
      p.failed.load(std::memory_order_relaxed) ? std::exchange(p.failure, nullptr) : nullptr;
  p.busy.store(false, std::memory_order_release);
  p.busy.notify_one();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sterna
