// What lookup.inl.h needs of an instruction set, written on bytes for those that have nothing better.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {
namespace qgemm {

constexpr int kLookupPanels = 1;  // in a tile
constexpr size_t kSpanLines = 8;  // whose sums Sums can hold
static_assert(sizeof(I) == 64 && sizeof(B) == 64);

struct Streams {
  static constexpr size_t kPanels = 2;            ///< That one token walks side by side,
  static constexpr bool kPrefetch = false;        ///< with prefetches of their codes or without.
  static constexpr size_t kMaxVectors = 1 << 30;  ///< Of one token's tables; with more it multiplies.
};

/// Sums of 16 rows.
struct Sums {
  int32_t of[16];
  static Sums zero() { return {}; }
  void add(const B& x) { add(x, 1); }
  void add_high(const B& x) { add(x, 256); }
  void add(const B& x, int32_t factor) {
    uint8_t bytes[64];
    __builtin_memcpy(bytes, &x, 64);
    for (int i = 0; i < 64; i++) of[i / 4] += factor * bytes[i];
  }
  I total() const {
    I sum;
    __builtin_memcpy(&sum, of, 64);
    return sum;
  }
};

/// A line of codes, its bytes in any order that table_index() and Sums know.
inline B load_groups(const uint8_t* line) { return B::load(line); }

/// For nibble h of each byte, which of the 64 entries of a vector of tables it selects.
template <int h>
inline B table_index(const B& line) {
  uint8_t bytes[64];
  __builtin_memcpy(bytes, &line, 64);
  for (int i = 0; i < 64; i++) bytes[i] = uint8_t(i % 4 * 16 + (bytes[i] >> 4 * h & 15));
  return B::load(bytes);
}
inline B look_up(const B& tables, const B& index) {
  uint8_t of[64], bytes[64];
  __builtin_memcpy(of, &tables, 64), __builtin_memcpy(bytes, &index, 64);
  for (int i = 0; i < 64; i++) bytes[i] = of[bytes[i]];
  return B::load(bytes);
}

}  // namespace qgemm
}  // namespace
