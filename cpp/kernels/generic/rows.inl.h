// The product of chosen rows (contract/rows.h). Columns are in lanes; R rows times P panels of accumulators
// stay in registers while the depth passes by. Which R and P changes no bit: each element has its own chain.
#pragma once

#include "kernels/contract/rows.h"

namespace {
namespace rows {

using sterna::kernels::RowsArgs;

/// Of 32 registers of 16 lanes a tile takes 16 and more; of 16 of 8 lanes, 12.
constexpr int kPanels = kTile >= 16 ? 2 : 1;
constexpr int kRows = kTile >= 16 ? 8 : 6;

template <int R, int P>
inline void tile(const RowsArgs& g, size_t pair, size_t panel) {
  const float* x[R];
  float* out[R];
  F acc[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    x[r] = g.x + size_t(g.input[pair + r]) * g.x_stride;
    out[r] = g.acc + size_t(g.row[pair + r] - g.first_row) * g.acc_stride + 16 * panel;
#pragma GCC unroll 2
    for (int p = 0; p < P; p++) acc[r][p] = F::load(out[r] + 16 * p);
  }
  const float* w = g.weights + 16 * panel * g.depth;
  for (size_t i = 0; i < g.depth; i++, w += 16) {
    F ws[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; p++) ws[p] = F::load(w + 16 * p * g.depth);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const F xs = F::set1(x[r][i]);
#pragma GCC unroll 2
      for (int p = 0; p < P; p++) acc[r][p] = fma(xs, ws[p], acc[r][p]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 2
    for (int p = 0; p < P; p++) acc[r][p].store(out[r] + 16 * p);
}

template <int P>
inline void panels(const RowsArgs& g, size_t panel) {
  size_t j = 0;
  for (; j + kRows <= g.n_pairs; j += kRows) tile<kRows, P>(g, j, panel);
  for (; j + 2 <= g.n_pairs; j += 2) tile<2, P>(g, j, panel);
  if (j < g.n_pairs) tile<1, P>(g, j, panel);
}

void f32(const RowsArgs& g) {
  size_t p = 0;
  for (; p + kPanels <= g.n_panels; p += kPanels) panels<kPanels>(g, p);
  for (; p < g.n_panels; p++) panels<1>(g, p);
}

}  // namespace rows
}  // namespace
