// The oracle of attention of one query head over a KV cache. Positions are cut into chunks of 256 from
// position 0. Per chunk:
//   s_i = (lane-rule dot of q and K_i) * scale; m = max s; e_i = exp(s_i - m);
//   l = lane-rule sum of e_i (lane = i mod 16); a[d] = fma(e_i, V_i[d], a[d]) from +0 in increasing i.
// The first chunk's (m, l, a) is (M, L, A); the next are merged in increasing order:
//   M' = max(M, m), c = exp(M - M'), c2 = exp(m - M'), L' = fma(L, c, l*c2), A' = fma(A, c, a*c2).
// Then out[d] = A[d] * (1 / L).
// With a cap, s_i is softcap.h of that.
// With a window, a query sees the last `window` positions up to its own: the rest is as if it were not there,
// but for the cuts of the chunks.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/detmath.h"
#include "base/half.h"
#include "reference/lanes.h"
#include "reference/softcap.h"

namespace sterna::reference {

struct Partial {
  float m = 0, l = 0;
  std::vector<float> a;
};

/// m, l and e of the scores s.
inline Partial weights(const std::vector<float>& s, std::vector<float>* e) {
  Partial p;
  p.m = s[0];
  for (float x : s) p.m = x > p.m ? x : p.m;
  LaneSum sum;
  for (size_t i = 0; i < s.size(); ++i) {
    e->push_back(detmath::expf(s[i] - p.m));
    sum.add(i, e->back());
  }
  p.l = sum.total();
  return p;
}

/// One chunk of n <= 256 positions.
inline Partial attention_chunk(const float* q, const uint16_t* k, const uint16_t* v, size_t head_dim,
                               size_t n, float scale, float cap = 0) {
  std::vector<float> s, e;
  for (size_t i = 0; i < n; ++i) {
    LaneSum dot;
    for (size_t d = 0; d < head_dim; ++d) dot.add_product(d, q[d], f16_to_f32(k[i * head_dim + d]));
    s.push_back(dot.total() * scale);
    if (cap != 0) s.back() = softcap(s.back(), cap);
  }
  Partial p = weights(s, &e);
  p.a.assign(head_dim, 0.0f);
  for (size_t i = 0; i < n; ++i) {
    for (size_t d = 0; d < head_dim; ++d) p.a[d] = std::fma(e[i], f16_to_f32(v[i * head_dim + d]), p.a[d]);
  }
  return p;
}

inline void merge(Partial& big, const Partial& next) {
  const float max = big.m > next.m ? big.m : next.m;
  const float c = detmath::expf(big.m - max), c2 = detmath::expf(next.m - max);
  const float lc2 = next.l * c2;
  big.l = std::fma(big.l, c, lc2);
  for (size_t d = 0; d < big.a.size(); ++d) {
    const float ac2 = next.a[d] * c2;
    big.a[d] = std::fma(big.a[d], c, ac2);
  }
  big.m = max;
}

inline std::vector<float> result(const Partial& p) {
  std::vector<float> out;
  const float inverse = 1.0f / p.l;
  for (float a : p.a) out.push_back(a * inverse);
  return out;
}

inline void attention(const float* q, const uint16_t* k, const uint16_t* v, size_t head_dim,
                      size_t n_positions, float scale, float* out, size_t window = SIZE_MAX,
                      float cap = 0) {
  Partial all;
  bool first = true;
  for (size_t i = n_positions > window ? n_positions - window : 0, n; i < n_positions; i += n) {
    n = 256 - i % 256 < n_positions - i ? 256 - i % 256 : n_positions - i;
    const Partial p = attention_chunk(q, k + i * head_dim, v + i * head_dim, head_dim, n, scale, cap);
    if (first)
      all = p;
    else
      merge(all, p);
    first = false;
  }
  for (float x : result(all)) *out++ = x;
}

}  // namespace sterna::reference
