// Unsigned arithmetic that reports overflow instead of wrapping, for every size computed from a file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna {

inline bool checked_add(uint64_t a, uint64_t b, uint64_t* out) { return !__builtin_add_overflow(a, b, out); }
inline bool checked_mul(uint64_t a, uint64_t b, uint64_t* out) { return !__builtin_mul_overflow(a, b, out); }

/// Rounds `n` up to a multiple of `m` (a power of two). The caller knows that n + m does not wrap.
constexpr uint64_t round_up(uint64_t n, uint64_t m) { return (n + m - 1) & ~(m - 1); }
constexpr size_t ceil_div(size_t n, size_t d) { return n / d + (n % d != 0); }

}  // namespace sterna
