// What qgemm_unpacked.inl.h needs of an instruction set, written on dot4() for those that have nothing
// better.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/generic/pair.inl.h"
#include "kernels/generic/tokens.inl.h"

namespace {
namespace qgemm {

constexpr int kTokenTile = 4;

/// Stores the bytes of four quads where dot_quads() reads them.
template <int max_code>
inline void store_quads(uint8_t* p, const B q[4]) {
  for (int i = 0; i < 4; i++) __builtin_memcpy(p + 64 * i, &q[i], 64);
}

/// acc[t] += factor * (sum over the n_quads at `codes` of code * activation of token t from k on); n_quads is
/// a multiple of `granule`, 4 or 8; `factor` is given twice.
template <int max_code, int T, int granule>
inline void dot_quads(I acc[T], const uint8_t* codes, size_t n_quads, const Tokens<T>& tokens, size_t k,
                      const Pair& factor) {
  I s[T];
  for (int t = 0; t < T; t++) s[t] = I::zero();
  for (size_t q = 0; q < n_quads; q += 4) {
    B lines[1][4];
    for (size_t i = 0; i < 4; i++) lines[0][i] = B::load(codes + 64 * (q + i));
    for (int t = 0; t < T; t++) dot4<max_code, 1>(&s[t], lines, tokens.at(t, k + 4 * q));
  }
  for (int t = 0; t < T; t++) acc[t] = acc[t] + s[t] * factor.first;
}

}  // namespace qgemm
}  // namespace
