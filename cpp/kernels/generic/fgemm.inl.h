// Matmul with float weights in file order (contract/fgemm.h). k is in lanes; R rows side by side hide the
// latency of the one fma chain that the lane rule allows per output, and give the memory system R streams.
#pragma once

#include "kernels/contract/fgemm.h"
#include "kernels/generic/lanes.inl.h"

namespace {
namespace fgemm {

using sterna::kernels::FGemmArgs;

struct F32 {
  using T = float;
  static F load(const T* p) { return F::load(p); }
};
struct F16 {
  using T = uint16_t;
  static F load(const T* p) { return F::load_f16(p); }
};
struct Bf16 {
  using T = uint16_t;
  static F load(const T* p) { return F::load_bf16(p); }
};

constexpr size_t kPrefetchBytes = 2048;  // for several tokens; on Zen 4 one token is a fifth faster without

/// Rows row, row + step, ... (R of them) times N tokens.
template <class W, int R, int N>
inline void tile(const FGemmArgs& g, size_t row, size_t step, size_t token) {
  using T = typename W::T;
  const T* w[R];
  for (int r = 0; r < R; r++)
    w[r] =
        reinterpret_cast<const T*>(static_cast<const uint8_t*>(g.weights) + (row + r * step) * g.row_bytes);
  const float* x = g.x + token * g.x_stride;
  F acc[R][N];
  for (int r = 0; r < R; r++)
    for (int n = 0; n < N; n++) acc[r][n] = F::zero();
  size_t k = 0;
  for (; k + 16 <= g.depth; k += 16) {
    F xs[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) xs[n] = F::load(x + n * g.x_stride + k);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const F ws = W::load(w[r] + k);
      if constexpr (N > 1) __builtin_prefetch(w[r] + k + kPrefetchBytes / sizeof(T));
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) acc[r][n] = fma(ws, xs[n], acc[r][n]);
    }
  }
  const size_t tail = g.depth - k;
  for (int r = 0; r < R; r++) {
    T wt[16] = {};
    for (size_t i = 0; i < tail; i++) wt[i] = w[r][k + i];
    for (int n = 0; n < N; n++) {
      if (tail) acc[r][n] = fma_tail(W::load(wt), x + n * g.x_stride + k, acc[r][n], tail);
      g.out[(token + n) * g.out_stride + row + r * step] = sum_tree(acc[r][n]);
    }
  }
}

template <class W>
void run(const FGemmArgs& g) {
  size_t row = 0;
  if (g.n_tokens < 4) {
    const size_t step = g.n_rows / 4;
    for (; row < step; row++) {
      if (g.n_tokens == 1) tile<W, 4, 1>(g, row, step, 0);
      if (g.n_tokens == 2) tile<W, 4, 2>(g, row, step, 0);
      if (g.n_tokens == 3) tile<W, 4, 3>(g, row, step, 0);
    }
    row = 4 * step;
  }
  for (; row + 4 <= g.n_rows; row += 4) {
    size_t t = 0;
    for (; t + 4 <= g.n_tokens; t += 4) tile<W, 4, 4>(g, row, 1, t);
    for (; t < g.n_tokens; t++) tile<W, 4, 1>(g, row, 1, t);
  }
  for (; row < g.n_rows; row++)
    for (size_t t = 0; t < g.n_tokens; t++) tile<W, 1, 1>(g, row, 1, t);
}

constexpr auto* f32 = run<F32>;
constexpr auto* f16 = run<F16>;
constexpr auto* bf16 = run<Bf16>;

}  // namespace fgemm
}  // namespace
