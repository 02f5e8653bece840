// Five ternary digits in a byte, coded so that a 64-entry byte permutation decodes most of it: the packing of
// the t5 variants (contract/qgemm.h).
//   c = t0 + 3 t1 + 9 t2 + 27 t3
//   c < 64:  the byte is 64*t4 + c, so c is its low six bits and t4 its high two.
//   c >= 64: the byte is 192 + 17*t4 + (c - 64).
#pragma once

#include <cstdint>

namespace sterna::kernels {

constexpr uint8_t encode_trits(int t0, int t1, int t2, int t3, int t4) {
  const int c = t0 + 3 * t1 + 9 * t2 + 27 * t3;
  return uint8_t(c < 64 ? 64 * t4 + c : 192 + 17 * t4 + (c - 64));
}

/// What a byte decodes to by its low six bits: t0..t3 in bit pairs 0..3, and t4 in bits 6 and 7.
struct TritTables {
  uint8_t low[64];         ///< t0..t3 of bytes below 192 (t4 is their two high bits)
  uint8_t high[64];        ///< t0..t3 of bytes from 192
  uint8_t high_fifth[64];  ///< t4 of bytes from 192, in bits 6 and 7
};
constexpr TritTables make_trit_tables() {
  TritTables t{};
  const auto pairs = [](int c) { return uint8_t(c % 3 | c / 3 % 3 << 2 | c / 9 % 3 << 4 | c / 27 << 6); };
  for (int i = 0; i < 64; i++) t.low[i] = pairs(i);
  for (int i = 0; i < 51; i++) t.high[i] = pairs(64 + i % 17), t.high_fifth[i] = uint8_t(i / 17 << 6);
  return t;
}
alignas(64) constexpr TritTables kTritTables = make_trit_tables();

/// Lines of 64 bytes that hold `units` times 16 k of a panel.
constexpr uint64_t trit_lines(uint64_t units) { return units / 5 * 4 + units % 5; }

}  // namespace sterna::kernels
