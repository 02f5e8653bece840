// The oracle of activation quantization to int8.
//   row:   amax = max(max |x|, floor), q = 127 / amax, code = clamp(rne(x * q), -128, 127),
//          scale = amax / 127; one scale and one sum of codes for the row. With an element that is not finite
//          the scale is NaN and the codes are 0; if q is not finite, scale and codes are 0.
//   block: the same for every `block` elements. Sums are over every `sum_block` codes.
// Codes from n to the next multiple of 32 are 0.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sterna::reference {

struct Quantized {
  std::vector<int8_t> codes;
  std::vector<float> scale;
  std::vector<int32_t> sum;
};

/// rne by nearbyint in the default rounding mode.
inline int8_t quantize_one(float x, float q) {
  const float r = std::nearbyint(x * q);
  return int8_t(r > 127.0f ? 127.0f : r > -128.0f ? r : -128.0f);
}

/// The codes of n elements, which `codes` has as zeros; returns their scale.
inline float quantize_part(const float* x, size_t n, float floor, int8_t* codes) {
  float amax = floor;
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return NAN;
    amax = std::fabs(x[i]) > amax ? std::fabs(x[i]) : amax;
  }
  const float q = 127.0f / amax;
  if (std::isinf(q)) return 0;
  for (size_t i = 0; i < n; ++i) codes[i] = quantize_one(x[i], q);
  return amax / 127.0f;
}

inline Quantized quantize_row(const float* x, size_t n, float floor = 0) {
  Quantized out;
  out.codes.assign((n + 31) / 32 * 32, 0);
  out.scale.assign(1, quantize_part(x, n, floor, out.codes.data()));
  out.sum.assign(1, 0);
  for (size_t i = 0; i < n; ++i) out.sum[0] += out.codes[i];
  return out;
}

inline Quantized quantize_block(const float* x, size_t n, size_t block, size_t sum_block) {
  Quantized out;
  out.codes.assign(n, 0);
  out.sum.assign(n / sum_block, 0);
  for (size_t b = 0; b < n; b += block)
    out.scale.push_back(quantize_part(x + b, block, 0, out.codes.data() + b));
  for (size_t i = 0; i < n; ++i) out.sum[i / sum_block] += out.codes[i];
  return out;
}

}  // namespace sterna::reference
