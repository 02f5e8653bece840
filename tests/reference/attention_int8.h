// The oracle of attention of one query head over an int8 KV cache, one chunk; chunks merge as in attention.h.
//   K_i, V_i and q are quantized by "row" (quantize.h): codes and scales ks_i, vs_i, qs.
//   s_i = float(sum over d of K_i[d]*q[d]) * (ks_i * (qs * scale)); the cap, m, e_i, l as in attention.h.
//   w_i = e_i * vs_i is quantized by "block" of 32 positions of the chunk, those that the query does not see
//   being 0: codes p_i, scale ps_b.
//   a[d] = +0; per block b in increasing order: a[d] = fma(float(sum of p_i*V_i[d]), ps_b, a[d]).
#pragma once

#include "reference/attention.h"
#include "reference/quantize.h"

namespace sterna::reference {

/// k and v are floats [position][head_dim], n <= 256, of which the query sees those from `from` on.
inline Partial attention_chunk_int8(const float* q, const float* k, const float* v, size_t head_dim, size_t n,
                                    float scale, size_t from = 0, float cap = 0) {
  const Quantized query = quantize_row(q, head_dim);
  const float q_scale = query.scale[0] * scale;
  std::vector<float> s, e;
  std::vector<Quantized> values;
  for (size_t i = 0; i < n; ++i) {
    const Quantized key = quantize_row(k + i * head_dim, head_dim);
    values.push_back(quantize_row(v + i * head_dim, head_dim));
    int dot = 0;
    for (size_t d = 0; d < head_dim; ++d) dot += key.codes[d] * query.codes[d];
    const float both = key.scale[0] * q_scale;
    const float score = float(dot) * both;
    if (i >= from) s.push_back(cap != 0 ? softcap(score, cap) : score);
  }
  Partial p = weights(s, &e);
  std::vector<float> w((n + 31) / 32 * 32, 0.0f);
  for (size_t i = from; i < n; ++i) w[i] = e[i - from] * values[i].scale[0];
  const Quantized weight = quantize_block(w.data(), w.size(), 32, 32);
  p.a.assign(head_dim, 0.0f);
  for (size_t b = 0; b < weight.scale.size(); ++b) {
    for (size_t d = 0; d < head_dim; ++d) {
      int dot = 0;
      for (size_t i = 32 * b; i < n && i < 32 * b + 32; ++i) dot += weight.codes[i] * values[i].codes[d];
      p.a[d] = std::fma(float(dot), weight.scale[b], p.a[d]);
    }
  }
  return p;
}

}  // namespace sterna::reference
