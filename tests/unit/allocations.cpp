// The replaced operator new, and mmap() as the library calls it.
#include "unit/allocations.h"

#ifndef STERNA_TSAN

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace sterna::testing {
namespace {

constexpr size_t kNever = ~size_t{0};
std::atomic<size_t> count{0}, failing{kNever};
std::atomic<bool> failed{false};

bool fails() {
  if (count++ != failing.load(std::memory_order_relaxed)) return false;
  failed = true;
  return true;
}

}  // namespace

size_t allocations() { return count; }
void fail_allocation(size_t n) {
  failed = false;
  failing = count + n;
}
bool stop_failing() {
  failing = kNever;
  return failed;
}

}  // namespace sterna::testing

// All forms that do not ask for more alignment: sanitizers bring each of their own.
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  return sterna::testing::fails() ? nullptr : std::malloc(n ? n : 1);
}
void* operator new(size_t n) {
  if (void* p = operator new(n, std::nothrow)) return p;
  throw std::bad_alloc();
}
void* operator new[](size_t n) { return operator new(n); }
void* operator new[](size_t n, const std::nothrow_t& t) noexcept { return operator new(n, t); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

#ifndef STERNA_ASAN  // it has an mmap() of its own
/// Buffers come from here; the C library's own calls do not.
extern "C" void* mmap(void* at, size_t n, int protection, int flags, int fd, off_t offset) noexcept {
  if ((flags & MAP_ANONYMOUS) && sterna::testing::fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, n, protection, flags, fd, offset));
}
#endif

#endif  // STERNA_TSAN
