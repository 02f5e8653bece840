// The oracle of the tables for matmul by lookup (kernels/contract/tables.h): entry by entry, as defined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sterna::reference {

struct LookupTables {
  std::vector<uint8_t> low, high;  ///< [vector][4][16]; `high` is zero where it need not be written.
  std::vector<int32_t> least;      ///< [chunk]
  std::vector<uint8_t> wide;       ///< [vector]
};

/// `act` has a multiple of 32 elements; bits is 1 or 2.
inline LookupTables lookup_tables(const int8_t* act, size_t n, int bits) {
  const size_t n_vectors = n / 16 * size_t(bits), span = 16 / size_t(bits), codes = 4 / size_t(bits);
  LookupTables t;
  t.low.resize(n_vectors * 64), t.high.resize(n_vectors * 64);
  t.least.resize(n / 32), t.wide.resize(n_vectors);
  for (size_t v = 0; v < n_vectors; ++v) {
    for (size_t j = 0; j < 4; ++j) {
      int sums[16];
      for (int nibble = 0; nibble < 16; ++nibble) {
        sums[nibble] = 0;
        for (size_t i = 0; i < codes; ++i) {
          const int code = nibble >> (size_t(bits) * i) & ((1 << bits) - 1);
          sums[nibble] += code * act[v * span + 4 * i + j];
        }
      }
      const int least = *std::min_element(sums, sums + 16), most = *std::max_element(sums, sums + 16) - least;
      for (size_t nibble = 0; nibble < 16; ++nibble) {
        t.low[64 * v + 16 * j + nibble] = uint8_t((sums[nibble] - least) % 256);
        t.high[64 * v + 16 * j + nibble] = uint8_t((sums[nibble] - least) / 256);
      }
      t.least[v * span / 32] += least;
      if (most >= 255) t.wide[v] = 1;
    }
  }
  return t;
}

}  // namespace sterna::reference
