// Attention of one token, online over chunks of 256 positions (contract/attention.h). The query heads of a
// group run chunk by chunk so that the chunk's K and V stay in the nearest cache.
#pragma once

#include "kernels/contract/attention.h"
#include "kernels/generic/elementwise.inl.h"

namespace {
namespace attention {

using sterna::kernels::AttentionArgs;
using sterna::kernels::kAttentionChunk;
using sterna::kernels::kMaxHeadDim;

inline F load_f16_part(const uint16_t* p, size_t n) {
  uint16_t t[16] = {};
  for (size_t i = 0; i < n; i++) t[i] = p[i];
  return F::load_f16(t);
}

/// s[0..n) = (q . K_i) * scale, four positions at a time.
inline void scores(const AttentionArgs& g, const float* q, const uint16_t* k, size_t n, float* s) {
  const size_t hd = g.head_dim, whole = hd & ~size_t(15), tail = hd - whole;
  const auto rows = [&]<int R>(size_t i) {
    F acc[R];
    for (int r = 0; r < R; r++) acc[r] = F::zero();
    for (size_t d = 0; d < whole; d += 16) {
      const F qv = F::load(q + d);
#pragma GCC unroll 4
      for (int r = 0; r < R; r++) acc[r] = fma(F::load_f16(k + (i + r) * hd + d), qv, acc[r]);
    }
    for (int r = 0; r < R; r++) {
      if (tail) acc[r] = fma_tail(load_f16_part(k + (i + r) * hd + whole, tail), q + whole, acc[r], tail);
      s[i + r] = sum_tree(acc[r]) * g.scale;
    }
  };
  size_t i = 0;
  for (; i + 4 <= n; i += 4) rows.template operator()<4>(i);
  for (; i < n; i++) rows.template operator()<1>(i);
}

/// a[d] = sum over i of e[i]*V_i[d], increasing i, from +0; D groups of 16 dimensions at a time stay in
/// registers.
inline void values(const AttentionArgs& g, const float* e, const uint16_t* v, size_t n, float* a) {
  const size_t hd = g.head_dim;
  const auto dims = [&]<int D>(size_t d) {
    F acc[D];
    for (int j = 0; j < D; j++) acc[j] = F::zero();
    for (size_t i = 0; i < n; i++) {
      const F ei = F::set1(e[i]);
#pragma GCC unroll 8
      for (int j = 0; j < D; j++) acc[j] = fma(ei, F::load_f16(v + i * hd + d + 16 * j), acc[j]);
    }
    for (int j = 0; j < D; j++) acc[j].store(a + d + 16 * j);
  };
  size_t d = 0;
  for (; d + 64 <= hd; d += 64) dims.template operator()<4>(d);
  for (; d + 16 <= hd; d += 16) dims.template operator()<1>(d);
  if (d < hd) {
    F acc = F::zero();
    for (size_t i = 0; i < n; i++) acc = fma(F::set1(e[i]), load_f16_part(v + i * hd + d, hd - d), acc);
    store_part(a + d, hd - d, acc);
  }
}

void f16(const AttentionArgs& g) {
  const size_t hd = g.head_dim;
  for (size_t h = 0; h < g.n_heads; h++) {
    const float* q = g.q + h * g.q_stride;
    float* out = g.out + h * g.out_stride;
    float big_m = 0, big_l = 0;
    for (size_t p = 0; p < g.n_positions; p += kAttentionChunk) {
      const size_t n = g.n_positions - p < kAttentionChunk ? g.n_positions - p : kAttentionChunk;
      float s[kAttentionChunk], a[kMaxHeadDim];
      scores(g, q, g.k + p * hd, n, s);
      const float m = softmax::max_of(s, n);
      const float l = softmax::exps(s, n, m, s);
      if (p == 0) {
        values(g, s, g.v, n, out);
        big_m = m, big_l = l;
        continue;
      }
      values(g, s, g.v + p * hd, n, a);
      const float top = big_m > m ? big_m : m;
      float c[16], c2[16];
      sterna::detmath::exp(F::set1(big_m - top)).store(c);
      sterna::detmath::exp(F::set1(m - top)).store(c2);
      big_l = __builtin_fmaf(big_l, c[0], l * c2[0]);
      big_m = top;
      const F cv = F::set1(c[0]), c2v = F::set1(c2[0]);
      map2(out, a, hd, out, [&](F x, F y) { return fma(x, cv, y * c2v); });
    }
    const F inv = F::set1(1.0f) / F::set1(big_l);
    map2(out, out, hd, out, [&](F x, F) { return x * inv; });
  }
}

}  // namespace attention
}  // namespace
