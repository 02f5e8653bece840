// The contract of attention of one token over a KV cache (variant "f16"), for the query heads that share one
// KV head. Positions are cut into chunks of 256 from position 0. Per chunk: s_i = (lane-rule dot of q and
// K_i) * scale; m = max s; e_i = exp(s_i - m); l = lane-rule sum of e_i (lane = i mod 16); a[d] = fma(e_i,
// V_i[d], a[d]) from +0 in increasing i. Chunks merge in increasing order, (M, L, A) starting as the first
// chunk's (m, l, a):
//   M' = max(M, m), c = exp(M - M'), c2 = exp(m - M'), L' = fma(L, c, l*c2), A' = fma(A, c, a*c2).
// out[d] = A[d] * (1 / L).
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

constexpr size_t kAttentionChunk = 256;

struct AttentionArgs {
  const float* q;   ///< n_heads rows.
  size_t q_stride;  ///< Elements between heads.
  size_t n_heads;
  const uint16_t* k;   ///< f16 [position][head_dim], contiguous.
  const uint16_t* v;   ///< f16 [position][head_dim], contiguous.
  size_t head_dim;     ///< 1 .. 512
  size_t n_positions;  ///< > 0
  float scale;
  float* out;         ///< n_heads rows.
  size_t out_stride;  ///< Elements between heads.
};
using AttentionFn = void(const AttentionArgs&);

constexpr size_t kMaxHeadDim = 512;

}  // namespace sterna::kernels
