// How the integer products of a quantized matrix become floats; shared by formats (what a file means) and
// kernels (what a loop computes).
#pragma once

#include <cstdint>

namespace sterna {

/// dot = sum of code*activation and asum = sum of activations, over the row or block, both exact in int32.
/// Blocks fold in order; what stands in brackets is for formats with minima.
enum class Fold : uint8_t {
  /// No codes (F32, F16, BF16): y = sum of w*x by the lane rule.
  kFloat,
  /// value = s*(mul*code - zero), one scale per row and one per token:
  ///   y = float(mul*dot - zero*asum) * (s * a_scale)
  kRow,
  /// value = d*(mul*code - zero) [+ m]:
  ///   acc = fma(float(mul*dot - zero*asum), d*a_scale, acc)
  ///   [acc = fma(float(asum), m*a_scale, acc)]
  /// With sub-blocks, of 16 and without m, each has its own d and folds by itself, in order; a_scale is the
  /// block's.
  kBlock,
  /// value = d*sc*(code - zero) [- m*mn]; the sums are over the sub-blocks of a block:
  ///   acc = fma(float(sum of sc*(dot - zero*asum)), d*a_scale, acc)
  ///   [acc = fma(float(-sum of mn*asum), m*a_scale, acc)]
  kSuper,
};

}  // namespace sterna
