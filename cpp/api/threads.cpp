// The public handle of a pool.
#include "sterna/threads.h"

#include "base/public_call.h"
#include "machine/cpus.h"
#include "threads/pool.h"

namespace sterna {

Result<Threads> Threads::create(std::optional<int> n) {
  return public_call("threads", [&](FloatEnvironment&) -> Result<Threads> {
    STERNA_ASSIGN(std::unique_ptr<ThreadPool> pool, ThreadPool::create(n.value_or(machine::usable_cpus())));
    return Threads(std::move(pool));
  });
}

int Threads::size() const { return pool_->size(); }

}  // namespace sterna
