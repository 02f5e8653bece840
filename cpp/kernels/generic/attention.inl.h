// Attention over one chunk of a KV cache, and the merging of chunks (contract/attention.h). A tile of queries
// shares every K and V that is loaded and converted; queries of one tile may see different numbers of
// positions.
#pragma once

#include "kernels/contract/attention.h"
#include "kernels/generic/elementwise.inl.h"

namespace {

/// y = softcap of x, which may be y.
inline void softcap(const float* x, size_t n, float cap, float* y) {
  const F c = F::set1(cap), inverse = F::set1(1.0f) / c;
  map2(x, x, n, y, [&](F a, F) { return sterna::detmath::softcap(a, c, inverse); });
}

namespace attention {

using sterna::kernels::AttentionArgs;
using sterna::kernels::kAttentionChunk;

/// Queries of a tile: accumulators are queries x positions (scores), queries x groups of 16 dimensions
/// (values).
constexpr int kQueries = kTile >= 16 ? 4 : 2;

inline F load_f16_part(const uint16_t* p, size_t n) {
  uint16_t t[16] = {};
  for (size_t i = 0; i < n; i++) t[i] = p[i];
  return F::load_f16(t);
}

/// s[j][i] = (q[j] . K_i) * scale for i in [from, n).
template <int Q>
inline void scores(const AttentionArgs& g, const float* const q[Q], size_t from, size_t n,
                   float s[Q][kAttentionChunk]) {
  const size_t hd = g.head_dim, whole = hd & ~size_t(15), tail = hd - whole;
  const auto rows = [&]<int P>(size_t i) {
    F acc[Q * P];
    for (int j = 0; j < Q * P; j++) acc[j] = F::zero();
    for (size_t d = 0; d < whole; d += 16) {
      F k[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) k[p] = F::load_f16(g.k + (i + p) * hd + d);
#pragma GCC unroll 4
      for (int j = 0; j < Q; j++) {
        const F x = F::load(q[j] + d);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) acc[j * P + p] = fma(k[p], x, acc[j * P + p]);
      }
    }
    if (tail)
      for (int p = 0; p < P; p++) {
        const F k = load_f16_part(g.k + (i + p) * hd + whole, tail);
        for (int j = 0; j < Q; j++) acc[j * P + p] = fma_tail(k, q[j] + whole, acc[j * P + p], tail);
      }
    if constexpr (Q * P % 4 == 0) {
      float sums[Q * P];
#pragma GCC unroll 4
      for (int j = 0; j < Q * P; j += 4) sum_trees(acc + j, sums + j);
      for (int j = 0; j < Q; j++)
        for (int p = 0; p < P; p++) s[j][i + p] = sums[j * P + p] * g.scale;
    } else {
      static_assert(P == 1);
      for (int j = 0; j < Q; j++) s[j][i] = sum_tree(acc[j]) * g.scale;
    }
  };
  constexpr int P = kTile / Q >= 4 ? 4 : kTile / Q >= 2 ? 2 : 1;  // Q * P is a multiple of 4 unless P is 1
  size_t i = from;
  for (; i + P <= n; i += P) rows.template operator()<P>(i);
  for (; i < n; i++) rows.template operator()<1>(i);
}

/// a[j][d] += sum over i in [from, to) of e[j][i]*V_i[d], increasing i; `fresh`: from +0.
template <int Q>
inline void values(const AttentionArgs& g, const float (*e)[kAttentionChunk], size_t from, size_t to,
                   bool fresh, float* const a[Q]) {
  const size_t hd = g.head_dim;
  const auto dims = [&]<int D>(size_t d) {
    F acc[Q][D];
    for (int j = 0; j < Q; j++)
      for (int c = 0; c < D; c++) acc[j][c] = fresh ? F::zero() : F::load(a[j] + d + 16 * c);
    for (size_t i = from; i < to; i++) {
      F v[D];
#pragma GCC unroll 8
      for (int c = 0; c < D; c++) v[c] = F::load_f16(g.v + i * hd + d + 16 * c);
#pragma GCC unroll 4
      for (int j = 0; j < Q; j++) {
        const F x = F::set1(e[j][i]);
#pragma GCC unroll 8
        for (int c = 0; c < D; c++) acc[j][c] = fma(x, v[c], acc[j][c]);
      }
    }
    for (int j = 0; j < Q; j++)
      for (int c = 0; c < D; c++) acc[j][c].store(a[j] + d + 16 * c);
  };
  constexpr int D = kTile / Q < 8 ? kTile / Q : 8;
  size_t d = 0;
  for (; d + 16 * D <= hd; d += 16 * D) dims.template operator()<D>(d);
  for (; d + 16 <= hd; d += 16) dims.template operator()<1>(d);
  if (d == hd) return;
  for (int j = 0; j < Q; j++) {  // a partial has room for a whole group
    F acc = fresh ? F::zero() : F::load(a[j] + d);
    for (size_t i = from; i < to; i++)
      acc = fma(F::set1(e[j][i]), load_f16_part(g.v + i * hd + d, hd - d), acc);
    acc.store(a[j] + d);
  }
}

template <int Q>
inline void tile(const AttentionArgs& g, size_t query) {
  const float* q[Q];
  float* a[Q];
  size_t from[Q], to[Q];
  for (int j = 0; j < Q; j++) {
    const size_t t = (query + j) / g.n_heads, h = (query + j) % g.n_heads;
    q[j] = g.q + t * g.token_stride + h * g.head_dim;
    a[j] = g.partials + (query + j) * g.partial_stride;
    from[j] = sterna::kernels::sees_from(g.n_positions + t, g.window);
    to[j] = sterna::kernels::sees_to(g.n_positions + t);
  }
  float s[Q][kAttentionChunk];
  scores<Q>(g, q, from[0], to[Q - 1], s);  // later tokens see from later on, and further
  for (int j = 0; j < Q; j++) {
    float* const mine = s[j] + from[j];
    if (g.cap != 0) softcap(mine, to[j] - from[j], g.cap, mine);
    const float m = softmax::max_of(mine, to[j] - from[j]);
    a[j][sterna::kernels::partial_m(g.head_dim)] = m;
    a[j][sterna::kernels::partial_l(g.head_dim)] = softmax::exps(mine, to[j] - from[j], m, mine);
  }
  // What all see is summed for all at once, after what only the earlier ones see, before what only the later.
  const size_t first = from[Q - 1] < to[0] ? from[Q - 1] : to[0];
  const bool fresh = from[0] == first;
  for (int j = 0; !fresh && j < Q; j++)
    values<1>(g, s + j, from[j] < first ? from[j] : first, first, true, a + j);
  values<Q>(g, s, first, to[0], fresh, a);
  for (int j = 1; j < Q; j++) {
    const size_t next = from[j] > to[0] ? from[j] : to[0];
    if (to[j] > next) values<1>(g, s + j, next, to[j], false, a + j);
  }
}

void f16(const AttentionArgs& g) {
  const size_t n = g.n_tokens * g.n_heads;
  size_t i = 0;
  for (; i + kQueries <= n; i += kQueries) tile<kQueries>(g, i);
  if constexpr (kQueries > 2)
    for (; i + 2 <= n; i += 2) tile<2>(g, i);
  for (; i < n; i++) tile<1>(g, i);
}

}  // namespace attention

namespace merge {
void f32(float* partials, size_t stride, size_t n, size_t head_dim, float* out) {
  const size_t at_m = sterna::kernels::partial_m(head_dim), at_l = sterna::kernels::partial_l(head_dim);
  float* const big = partials;
  for (size_t i = 1; i < n; i++) {
    const float* next = partials + i * stride;
    const float m = next[at_m], top = big[at_m] > m ? big[at_m] : m;
    float c[16], c2[16];
    sterna::detmath::exp(F::set1(big[at_m] - top)).store(c);
    sterna::detmath::exp(F::set1(m - top)).store(c2);
    big[at_l] = __builtin_fmaf(big[at_l], c[0], next[at_l] * c2[0]);
    big[at_m] = top;
    const F cv = F::set1(c[0]), c2v = F::set1(c2[0]);
    map2(big, next, head_dim, big, [&](F x, F y) { return fma(x, cv, y * c2v); });
  }
  if (!out) return;
  const F inv = F::set1(1.0f) / F::set1(big[at_l]);
  map2(big, big, head_dim, out, [&](F x, F) { return x * inv; });
}
}  // namespace merge

namespace weigh {
void f32(const float* x, const float* w, size_t n, float cap, float* y, float* m, float* l) {
  if (cap != 0) softcap(x, n, cap, y), x = y;
  *m = softmax::max_of(x, n);
  *l = softmax::exps(x, n, *m, y);
  map2(y, w, n, y, [](F e, F v) { return e * v; });
}
}  // namespace weigh

}  // namespace
