// The oracle of activation quantization to int8.
//   row:   amax = max(max |x|, 1e-5), q = 127 / amax, code = clamp(rne(x * q), -128, 127),
//          scale = amax / 127; one scale and one sum of codes for the row.
//   block: the same for every `block` elements without the floor; amax < 2^-120 gives scale 0 and codes 0.
//          Sums are over every `sum_block` codes.
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

inline float max_abs(const float* x, size_t n) {
  float amax = 0;
  for (size_t i = 0; i < n; ++i) amax = std::fabs(x[i]) > amax ? std::fabs(x[i]) : amax;
  return amax;
}

/// rne by nearbyint in the default rounding mode. NaN, for which the kernels only have to stay in their
/// buffers, is -128.
inline int8_t quantize_one(float x, float q) {
  const float r = std::nearbyint(x * q);
  return int8_t(r > 127.0f ? 127.0f : r > -128.0f ? r : -128.0f);
}

inline Quantized quantize_row(const float* x, size_t n) {
  Quantized out;
  out.codes.assign((n + 31) / 32 * 32, 0);
  out.sum.assign(1, 0);
  float amax = max_abs(x, n);
  if (amax < 1e-5f) amax = 1e-5f;
  const float q = 127.0f / amax;
  for (size_t i = 0; i < n; ++i) out.sum[0] += out.codes[i] = quantize_one(x[i], q);
  out.scale.assign(1, amax / 127.0f);
  return out;
}

inline Quantized quantize_block(const float* x, size_t n, size_t block, size_t sum_block) {
  Quantized out;
  out.codes.assign(n, 0);
  out.scale.assign(n / block, 0.0f);
  out.sum.assign(n / sum_block, 0);
  for (size_t b = 0; b < n / block; ++b) {
    const float amax = max_abs(x + b * block, block);
    if (amax < 0x1p-120f) continue;
    const float q = 127.0f / amax;
    out.scale[b] = amax / 127.0f;
    for (size_t i = b * block; i < (b + 1) * block; ++i) out.codes[i] = quantize_one(x[i], q);
  }
  for (size_t i = 0; i < n; ++i) out.sum[i / sum_block] += out.codes[i];
  return out;
}

}  // namespace sterna::reference
