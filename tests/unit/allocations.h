// Counting allocations and letting one fail: what allocation_test.cpp and out_of_memory_test.cpp need. Not
// with the thread sanitizer, whose own operator new cannot be replaced in a program linked with it.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STERNA_TSAN
#elif __has_feature(address_sanitizer)
#define STERNA_ASAN
#endif
#endif

namespace sterna::testing {

/// Calls of operator new, and of mmap() for memory, so far, by all threads.
size_t allocations();

/// Lets the allocation after the next n, by whatever thread, fail once.
void fail_allocation(size_t n);
/// No allocation fails from now on; whether one did since fail_allocation().
bool stop_failing();

}  // namespace sterna::testing
