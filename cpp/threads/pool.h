// The threads that share the work of models and matmuls. run() hands out task indices one by one, so a slow
// or descheduled core takes fewer of them; which thread does which task never changes a result.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

#include "sterna/status.h"

namespace sterna {

constexpr int kMaxThreads = 1024;

class ThreadPool {
 public:
  /// A pool of n_threads (1..kMaxThreads) including the caller of run().
  static Result<std::unique_ptr<ThreadPool>> create(int n_threads);
  ~ThreadPool();

  int size() const;

  /// Calls task(i) or task(i, thread) for i = 0 .. n-1 (n < 2^32), each once, and returns when all are done.
  /// thread < size() says who calls, for scratch memory; the caller of run() is 0. Calls from several threads
  /// take turns; none may come from a task. In a forked child, where the other threads do not exist, the
  /// caller does all. Where a task has no memory, std::bad_alloc comes out of run(), after all other tasks.
  template <class Task>
  void run(size_t n, Task&& task) {
    using T = std::remove_reference_t<Task>;
    const auto call = [](void* t, size_t i, size_t thread) {
      if constexpr (std::is_invocable_v<T&, size_t, size_t>)
        (*static_cast<T*>(t))(i, thread);
      else
        (*static_cast<T*>(t))(i);
    };
    run_erased(n, call, const_cast<std::remove_const_t<T>*>(&task));
  }

 private:
  struct Impl;
  explicit ThreadPool(std::unique_ptr<Impl> impl);
  void run_erased(size_t n, void (*call)(void*, size_t, size_t), void* task);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sterna
