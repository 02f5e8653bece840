// The contract of attention over a KV cache. A query at position p sees the positions 0 .. p, or the last
// `window` of them: p - window + 1 .. p, its own included. Positions are cut into chunks of 256 from position
// 0, and a chunk of which a query sees something gives it a partial result (m, l, a), over what it sees:
//   m = max s_i, e_i = exp(s_i - m), l = lane-rule sum of e_i (lane = i mod 16, i counted from the first
//   position of the chunk that the query sees), a[d] = sum of e_i V_i[d].
// Partials merge in increasing order of chunks, whoever computed them: (M, L, A) starts as the (m, l, a) of
// the first chunk of which the query sees something, then
//   M' = max(M, m), c = exp(M - M'), c2 = exp(m - M'), L' = fma(L, c, l*c2), A' = fma(A, c, a*c2),
// and out[d] = A[d] * (1 / L).
//
// With a cap, what the kinds call s_i becomes tanh(s_i * (1/cap)) * cap; tanh is detmath's.
//
// Kind "f16": the kernel computes partials of one chunk.
//   s_i = (lane-rule dot of q and K_i) * scale; a[d] = fma(e_i, V_i[d], a[d]) from +0 in increasing i.
//
// Kind "int8": K, V and the query have int8 codes and scales, by quantize "row" over the head's dimensions;
//   s_i = float(K_i . q) * (ks_i * (qs * scale)): a qgemm "w8_row", positions being rows. K and q of heads of
//   more than 128 dimensions, a multiple of 32, by "block" of 32: a qgemm "w8_block", s_i = +0, then per
//   block s_i = fma(float(K_i . q), ks_i * (qs * scale), s_i).
// The weights w_i = e_i * vs_i ("weigh" below; 0 where the query does not see) become codes p_i and a scale
// ps_b per 32 positions by quantize "block".
//   a[d] = fma(float(sum over block b of p_i*V_i[d]), ps_b, a[d]) from +0 in increasing b: a qgemm
//   "w8_block", dimensions being rows with the scale 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

constexpr size_t kAttentionChunk = 256;
constexpr size_t kMaxHeadDim = 512;

/// A partial is a row of floats: a[head_dim], and behind them m and l.
constexpr size_t partial_m(size_t head_dim) { return (head_dim + 15) / 16 * 16; }
constexpr size_t partial_l(size_t head_dim) { return partial_m(head_dim) + 1; }
constexpr size_t partial_floats(size_t head_dim) { return partial_m(head_dim) + 16; }

/// Of a chunk, a token whose own position is place `end` - 1, which may be behind it, sees sees_from() ..
/// sees_to() - 1.
constexpr size_t sees_from(size_t end, size_t window) { return end > window ? end - window : 0; }
constexpr size_t sees_to(size_t end) { return end < kAttentionChunk ? end : kAttentionChunk; }

/// attention "f16": queries are n_heads heads of n_tokens tokens; token t sees the chunk's positions
/// sees_from(n_positions + t, window) .. sees_to(n_positions + t) - 1, which is one at least.
struct AttentionArgs {
  const float* q;         ///< Head h of token t at q + t*token_stride + h*head_dim.
  size_t token_stride;    ///< Elements.
  const uint16_t* k;      ///< f16 [position][head_dim], contiguous, first position of the chunk.
  const uint16_t* v;      ///< Same.
  size_t n_tokens;        ///< > 0
  size_t n_heads;         ///< > 0
  size_t head_dim;        ///< 1 .. 512
  size_t n_positions;     ///< > 0
  float scale;            ///< Of the scores.
  float* partials;        ///< Row of token t, head h at partials + (t*n_heads + h)*partial_stride.
  size_t partial_stride;  ///< Elements, at least partial_floats(head_dim).
  size_t window = SIZE_MAX;
  float cap = 0;  ///< Of the scores, once they are scaled; 0: none.
};
using AttentionFn = void(const AttentionArgs&);

/// merge "f32": merges n > 0 partials, `stride` elements apart, into the first; with `out`, out[0 ..
/// head_dim) = A * (1/L) as well.
using MergeFn = void(float* partials, size_t stride, size_t n, size_t head_dim, float* out);

/// weigh "f32": x capped unless cap is 0; m = max x, e = exp(x - m), l = lane-rule sum of e, y = e * w. y may
/// be x. n > 0.
using WeighFn = void(const float* x, const float* w, size_t n, float cap, float* y, float* m, float* l);

}  // namespace sterna::kernels
