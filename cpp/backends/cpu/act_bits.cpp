// Plain loops: IEEE operations that every compiler rounds alike.
#include "backends/cpu/act_bits.h"

#include <cmath>
#include <limits>

#include "base/checked_math.h"

namespace sterna::cpu {
namespace {

/// Rounds |v| < 2^22 to the nearest integer, ties to even.
float rne(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

}  // namespace

void quantize_act(int bits, const kernels::QuantizeArgs& args, size_t code_stride, size_t scale_stride,
                  size_t sum_stride) {
  const float* const x = args.x;
  const size_t depth = args.n;
  const float limit = bits == 4 ? 7.0f : 32639.0f;
  const int planes = bits == 16 ? 2 : 1;
  const size_t block = args.block ? args.block : depth, n_blocks = depth / block;
  const auto codes = [&](int plane) { return args.codes + size_t(plane) * code_stride; };
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
      args.scale[size_t(p) * scale_stride + b] = p + 1 < planes ? 256 * scale : scale;
      args.sum[size_t(p) * sum_stride + b] = sums[p];
    }
  }
  for (int p = 0; p < planes; p++)
    for (size_t k = depth; k < round_up(depth, 32); k++) codes(p)[k] = 0;
}

}  // namespace sterna::cpu
