// Plain loops: IEEE operations that every compiler rounds alike.
#include "backends/cpu/act_bits.h"

#include <cmath>
#include <limits>

#include "base/checked_math.h"

namespace sterna {
namespace {

/// Rounds |v| < 2^22 to the nearest integer, ties to even.
float rne(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

}  // namespace

void quantize_act(int bits, const float* x, size_t depth, const cpu::Activations::Form& f, size_t row) {
  const float limit = bits == 4 ? 7.0f : 32639.0f;
  const int planes = bits == 16 ? 2 : 1;
  const size_t block = f.block ? f.block : depth, n_blocks = depth / block;
  const auto codes = [&](int plane) { return f.codes.as<int8_t>() + (row + plane) * f.code_stride; };
  for (size_t b = 0; b < n_blocks; b++) {
    float amax = 0, odd = 0;  // odd: 0, or NaN if an element is not a finite number
    for (size_t k = b * block; k < (b + 1) * block; k++) {
      amax = std::fabs(x[k]) > amax ? std::fabs(x[k]) : amax;
      odd += x[k] - x[k];
    }
    amax += odd;
    const float q = limit / amax;
    const bool coded = q <= std::numeric_limits<float>::max();  // not of zeros, next to zero, or NaN
    const float scale = coded ? amax / limit : amax * 0.0f;
    int32_t sums[2] = {};
    for (size_t k = b * block; k < (b + 1) * block; k++) {
      const int32_t code = coded ? int32_t(rne(x[k] * q)) : 0;
      const int32_t lo = planes == 2 ? ((code + 128) & 255) - 128 : code;
      const int32_t parts[2] = {planes == 2 ? (code - lo) / 256 : lo, lo};
      for (int p = 0; p < planes; p++) codes(p)[k] = int8_t(parts[p]), sums[p] += parts[p];
    }
    for (int p = 0; p < planes; p++) {
      f.scales.as<float>()[(row + size_t(p)) * f.scale_stride + b] = p + 1 < planes ? 256 * scale : scale;
      f.sums.as<int32_t>()[(row + size_t(p)) * f.sum_stride + b] = sums[p];
    }
  }
  for (int p = 0; p < planes; p++)
    for (size_t k = depth; k < round_up(depth, 32); k++) codes(p)[k] = 0;
}

}  // namespace sterna
