// What the IQ formats share: codes that are the numbers of values, entries of tables ("grids") for 8 or 4
// elements at once, and signs. Internal to cpp/formats.
#pragma once

#include <array>
#include <bit>

#include "formats/codec.h"

namespace sterna::formats {

#include "formats/iq_grids.inc"

/// IQ4_NL and IQ4_XS: the value of each code, plus 128:
/// -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113.
inline constexpr uint8_t kIq4Values[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                           129, 141, 153, 166, 181, 197, 217, 241};

/// The codebook of codes m | negative << kBits: value number m, or its negative; plus zero.
template <int kBits, int zero, size_t n>
constexpr std::array<uint8_t, 16> signed_codebook(const int (&magnitudes)[n]) {
  static_assert(n <= 1 << kBits && kBits <= 3);
  std::array<uint8_t, 16> book;
  book.fill(zero);
  for (size_t m = 0; m < n; ++m) {
    book[m] = uint8_t(zero + magnitudes[m]);
    book[m + (1 << kBits)] = uint8_t(zero - magnitudes[m]);
  }
  return book;
}

inline constexpr int kIq2Magnitudes[] = {8, 25, 43};
inline constexpr auto kIq2Values = signed_codebook<2, 64>(kIq2Magnitudes);

/// The magnitudes of the patterns of a 2-bit grid.
template <size_t n>
constexpr std::array<uint8_t, 8 * n> grid_magnitudes(const uint16_t (&patterns)[n]) {
  std::array<uint8_t, 8 * n> all;
  for (size_t i = 0; i < 8 * n; ++i) all[i] = uint8_t(kIq2Magnitudes[patterns[i / 8] >> 2 * (i % 8) & 3]);
  return all;
}

/// IQ1_S and IQ1_M: 8 * (t - 1) + 1 of code t and 8 * (t - 1) - 1 of code t + 4, plus 64.
inline constexpr uint8_t kIq1Values[16] = {57, 65, 73, 64, 55, 63, 71, 64, 64, 64, 64, 64, 64, 64, 64, 64};

/// Sign bits of 8 elements in 7: the eighth makes the number of set bits even.
inline uint8_t even_signs(uint32_t low7) { return uint8_t(low7 | (std::popcount(low7) & 1u) << 7); }

/// The codes of an entry of a 2-bit grid: 8 lanes, the sign of lane j in bit j.
inline void codes_of_8(uint16_t entry, uint8_t signs, uint8_t* codes) {
  for (int j = 0; j < 8; ++j) codes[j] = uint8_t((entry >> 2 * j & 3) | (signs >> j & 1) << 2);
}

/// The same of a 3-bit grid, whose lanes have 4 bits: 4 lanes, signs in the low four bits.
inline void codes_of_4(uint16_t entry, uint8_t signs, uint8_t* codes) {
  for (int j = 0; j < 4; ++j) codes[j] = uint8_t((entry >> 4 * j & 7) | (signs >> j & 1) << 3);
}

/// d at b times a power of two of the format: exact in f32, not always in f16.
inline float scaled_f16(const uint8_t* b, float unit) { return f16_to_f32(load_u16(b)) * unit; }

}  // namespace sterna::formats
