// The g variants: codes that are patterns of a grid (contract/grid.h). A block's patterns are looked up once
// for all tokens, into the bytes that qgemm_unpacked.inl.h multiplies. An instruction set with something
// better defines STERNA_GRID and run() itself.
#pragma once

#include "kernels/generic/qgemm_unpacked.inl.h"

namespace {
namespace qgemm {

using sterna::kernels::grid_strip_bytes;
using sterna::kernels::kGridHigh;
using sterna::kernels::kGridSigns;
using sterna::kernels::kGridStrips;

/// The number of pattern i of row r of a strip.
template <QGemmVariant w>
inline size_t pattern_number(const uint8_t* strip, size_t i, size_t r) {
  const size_t n = strip[16 * i + r];
  if constexpr (w.index == 8) return n;
  return n | size_t(strip[kGridHigh + i / 4 * 16 + r] >> i % 4 * 2 & 3) << 8;
}

/// Eight codes, zero + or - magnitude; bit i of each byte of `signs` says which. No byte carries into the
/// next.
template <QGemmVariant w>
inline uint64_t signed_codes(uint64_t magnitudes, uint64_t signs, size_t i) {
  constexpr uint64_t ones = 0x0101010101010101u;
  const uint64_t negative = signs >> i & ones;
  return ((magnitudes + (max_code(w) / 2 + 1) * ones) ^ negative * max_code(w)) + negative;
}

/// The codes of n_chunks, a multiple of 2, as bytes, 64 per quad.
template <QGemmVariant w>
inline void look_up_chunks(const uint8_t* grid, const uint8_t* codes, size_t n_chunks, uint8_t* bytes) {
  for (size_t c = 0; c < n_chunks; c += 2, codes += grid_strip_bytes(w)) {
    alignas(64) uint32_t quads[16][16];
    for (size_t r = 0; r < 16; r++) {
      uint64_t signs, x;
      __builtin_memcpy(&signs, codes + kGridSigns + 8 * r, 8);
      for (size_t i = 0; i < 8; i++) {
        __builtin_memcpy(&x, grid + 8 * pattern_number<w>(codes, i, r), 8);
        x = signed_codes<w>(x, signs, i);
        quads[2 * i][r] = uint32_t(x), quads[2 * i + 1][r] = uint32_t(x >> 32);
      }
    }
    for (size_t i = 0; i < 16; i += 4, bytes += 4 * 64) {
      B q[4];
      for (size_t j = 0; j < 4; j++) q[j] = B::load(reinterpret_cast<const uint8_t*>(quads[i + j]));
      store_quads<max_code(w)>(bytes, q);
    }
  }
}

#ifndef STERNA_GRID
template <QGemmVariant w>
  requires(w.index != 0)
void run(const QGemmArgs& g) {
  unpacked_passes<w>(g, [&](const uint8_t* codes, size_t n_chunks, uint8_t* bytes) {
    look_up_chunks<w>(g.grid, codes, n_chunks, bytes);
  });
}
#endif

}  // namespace qgemm
}  // namespace
