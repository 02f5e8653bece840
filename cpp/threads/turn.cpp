// Turns of callers that know in which process they began.
#include "threads/turn.h"

#include <string>

#include "machine/process.h"

namespace sterna {
Status Turn::take(const char* who) {
  const uint32_t mine = machine::fork_generation() + 1;
  for (uint32_t seen = 0; !holder_.compare_exchange_weak(seen, mine, std::memory_order_acquire); seen = 0) {
    if (seen == 0) continue;
    if (seen == mine && thread_.load(std::memory_order_relaxed) == std::this_thread::get_id())
      return Status(Code::kInvalidArgument,
                    std::string("[") + who + "] called from a callback of a call that is not done");
    if (seen != mine)
      return Status(Code::kUnsupported, std::string("[") + who +
                                            "] another thread was using this object when the process was "
                                            "forked; load or pack it again in this process");
    holder_.wait(seen, std::memory_order_relaxed);
  }
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return {};
}

void Turn::give_back() {
  thread_.store({}, std::memory_order_relaxed);
  holder_.store(0, std::memory_order_release);
  holder_.notify_one();
}

}  // namespace sterna
