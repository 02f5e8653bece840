// The oracle of activations with 4, 8 and 16 bits in the raw matmul (include/sterna/matmul.h), over the
// oracle of the product with int8 activations.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "reference/qgemm.h"

namespace sterna::reference {

/// codes[token][depth] as plain integers, scale[token][block].
struct WideActivations {
  std::vector<int> codes;
  std::vector<float> scale;
};

/// `block` 0: one scale per token.
inline WideActivations quantize_wide(const std::vector<float>& x, size_t depth, size_t block, int bits) {
  const float limit = bits == 4 ? 7.0f : bits == 8 ? 127.0f : 32639.0f;
  const size_t step = block ? block : depth;
  WideActivations out;
  for (size_t i = 0; i < x.size(); i += step) {
    float amax = 0;
    bool finite = true;
    for (size_t k = i; k < i + step; k++) {
      finite = finite && std::isfinite(x[k]);
      amax = std::fmax(amax, std::fabs(x[k]));
    }
    const bool coded = finite && !std::isinf(limit / amax);
    for (size_t k = i; k < i + step; k++)
      out.codes.push_back(coded ? int(std::nearbyint(x[k] * (limit / amax))) : 0);
    out.scale.push_back(!finite ? NAN : coded ? amax / limit : 0.0f);
  }
  return out;
}

/// out[t * w.rows + r] of x, [n][w.depth].
inline std::vector<float> matmul(const QMatrix& w, const std::vector<float>& x, int act_bits) {
  const WideActivations wide = quantize_wide(x, w.depth, w.block, act_bits);
  const auto plane = [&](auto part, float factor) {
    QActivations a;
    a.tokens = x.size() / w.depth;
    for (int c : wide.codes) a.codes.push_back(int8_t(part(c)));
    for (float s : wide.scale) a.scale.push_back(factor * s);
    return qgemm(w, a);
  };
  if (act_bits != 16) return plane([](int c) { return c; }, 1);
  const auto high = [](int c) { return int(std::floor((c + 128) / 256.0)); };  // the rest is in -128..127
  std::vector<float> y = plane(high, 256);
  const std::vector<float> low = plane([&](int c) { return c - 256 * high(c); }, 1);
  for (size_t i = 0; i < y.size(); i++) y[i] += low[i];
  return y;
}

}  // namespace sterna::reference
