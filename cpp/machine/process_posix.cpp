// The count of forks, kept by a handler that every fork() runs in its child.
#include <pthread.h>

#include <atomic>

#include "machine/process.h"

namespace sterna::machine {
namespace {

std::atomic<uint32_t> generation{0};

}  // namespace

uint32_t fork_generation() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { generation++; });
  (void)registered;
  return generation.load(std::memory_order_relaxed);
}

}  // namespace sterna::machine
