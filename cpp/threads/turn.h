// fork() copies one thread. What the others were doing then stays half done in the child for ever, so who
// waits for other threads has to know in which process it began.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "sterna/status.h"

namespace sterna {

/// One caller at a time, like a mutex; but where waiting would be for ever, taking is an error: in a child of
/// a process whose other thread had its turn, and for the thread whose turn it is (in a callback).
class Turn {
 public:
  /// kUnsupported in such a child, kInvalidArgument in a callback.
  Status take(const char* who);
  void give_back();

 private:
  std::atomic<uint32_t> holder_{0};        // 0: free; else 1 + the holder's machine::fork_generation()
  std::atomic<std::thread::id> thread_{};  // of the holder
};

/// The result of call(), a Status or Result, while it has the turn.
template <class Call>
auto in_turn(Turn& turn, const char* who, Call&& call) -> decltype(call()) {
  STERNA_RETURN_IF_ERROR(turn.take(who));
  const struct GiveBack {
    Turn& turn;
    ~GiveBack() { turn.give_back(); }
  } at_end{turn};
  return call();
}

}  // namespace sterna
