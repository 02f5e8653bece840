// The oracle of attention of one query head over an int8 KV cache, one chunk; chunks merge as in attention.h.
//   V_i is quantized by "row" (quantize.h): codes and a scale vs_i. So are K_i and q (ks_i, qs), and
//   s_i = float(sum over d of K_i[d]*q[d]) * (ks_i * (qs * scale)). But in heads of more than 128
//   dimensions, a multiple of 32, they are by "block" of 32, and s_i = +0, then per block in increasing
//   order s_i = fma(float(sum over its d), ks_i * (qs * scale), s_i). The cap, m, e_i, l: as in attention.h.
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
  const bool blocks = head_dim > 128 && head_dim % 32 == 0;
  const auto quantize = [&](const float* x) {
    return blocks ? quantize_block(x, head_dim, 32, 32) : quantize_row(x, head_dim);
  };
  const Quantized query = quantize(q);
  std::vector<float> s, e;
  std::vector<Quantized> values;
  for (size_t i = 0; i < n; ++i) {
    const Quantized key = quantize(k + i * head_dim);
    values.push_back(quantize_row(v + i * head_dim, head_dim));
    float score = 0;
    for (size_t b = 0; b < key.scale.size(); ++b) {
      int dot = 0;
      for (size_t d = 32 * b; d < (blocks ? 32 * b + 32 : head_dim); ++d)
        dot += key.codes[d] * query.codes[d];
      const float both = key.scale[b] * (query.scale[b] * scale);
      score = blocks ? std::fma(float(dot), both, score) : float(dot) * both;
    }
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
