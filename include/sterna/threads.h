// Threads that several objects share.
//   auto threads = sterna::Threads::create(4);
//   auto a = sterna::Model::load("a.gguf", {.threads = threads.value()});
//   auto b = sterna::Model::load("b.gguf", {.threads = threads.value()});
#pragma once

#include <memory>
#include <optional>

#include "sterna/status.h"

namespace sterna {

class ThreadPool;

/// A handle: copies are the same threads, which end with the last of them and of the objects that use them.
/// Objects may be used from several threads at once; their parallel regions then take turns.
class Threads {
 public:
  /// n: 1..1024 with the one that calls; absent = the CPUs this process may use. Errors: kInvalidArgument,
  /// kOutOfMemory.
  static Result<Threads> create(std::optional<int> n = {});
  int size() const;
  const std::shared_ptr<ThreadPool>& pool() const { return pool_; }  ///< For the library.

 private:
  explicit Threads(std::shared_ptr<ThreadPool> pool) : pool_(std::move(pool)) {}
  std::shared_ptr<ThreadPool> pool_;
};

}  // namespace sterna
