// The oracle of attention of one query head over an f16 KV cache. Positions are cut into chunks of 256 from
// position 0. Per chunk: s_i = (lane-rule dot of q and K_i) * scale; m = max s; e_i = exp(s_i - m); l =
// lane-rule sum of e_i (lane = i mod 16); a[d] = fma(e_i, V_i[d], a[d]) from +0 in increasing i. The first
// chunk's (m, l, a) is (M, L, A); the next are merged in increasing order:
//   M' = max(M, m), c = exp(M - M'), c2 = exp(m - M'), L' = fma(L, c, l*c2), A' = fma(A, c, a*c2).
// out[d] = A[d] * (1 / L).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/detmath.h"
#include "base/half.h"
#include "reference/lanes.h"

namespace sterna::reference {

inline void attention(const float* q, const uint16_t* k, const uint16_t* v, size_t head_dim,
                      size_t n_positions, float scale, float* out) {
  float M = 0, L = 0;
  std::vector<float> A;
  for (size_t begin = 0; begin < n_positions; begin += 256) {
    const size_t n = n_positions - begin < 256 ? n_positions - begin : 256;
    std::vector<float> s(n), a(head_dim, 0.0f);
    float m = 0;
    for (size_t i = 0; i < n; ++i) {
      LaneSum dot;
      for (size_t d = 0; d < head_dim; ++d)
        dot.add_product(d, q[d], f16_to_f32(k[(begin + i) * head_dim + d]));
      s[i] = dot.total() * scale;
      if (i == 0 || s[i] > m) m = s[i];
    }
    LaneSum sum;
    for (size_t i = 0; i < n; ++i) {
      const float e = detmath::expf(s[i] - m);
      sum.add(i, e);
      for (size_t d = 0; d < head_dim; ++d)
        a[d] = std::fma(e, f16_to_f32(v[(begin + i) * head_dim + d]), a[d]);
    }
    const float l = sum.total();
    if (begin == 0) {
      M = m, L = l, A = a;
      continue;
    }
    const float max = M > m ? M : m;
    const float c = detmath::expf(M - max), c2 = detmath::expf(m - max);
    const float lc2 = l * c2;
    L = std::fma(L, c, lc2);
    for (size_t d = 0; d < head_dim; ++d) {
      const float ac2 = a[d] * c2;
      A[d] = std::fma(A[d], c, ac2);
    }
    M = max;
  }
  const float inverse = 1.0f / L;
  for (size_t d = 0; d < head_dim; ++d) out[d] = A[d] * inverse;
}

}  // namespace sterna::reference
