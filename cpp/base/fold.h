// How the integer products of a quantized matrix become floats; shared by formats (what a file means) and
// kernels (what a loop computes). dot = sum of code*activation, asum = sum of activations, both exact in
// int32.
#pragma once

#include <cstdint>

namespace sterna {

enum class Fold : uint8_t {
  kFloat,  ///< No codes (F32, F16, BF16): y = sum of w*x by the lane rule.
  kRow,    ///< value = s*(mul*code - zero). y = float(mul*dot - zero*asum) * (s * a_scale); one scale per row
           ///< and per token.
  kBlock,  ///< value = d*(mul*code - zero) [+ m]. Per block, in order: acc = fma(float(mul*dot - zero*asum),
           ///< d*a_scale, acc) [then acc = fma(float(asum), m*a_scale, acc)].
  kSuper,  ///< value = d*sc*(code - zero) [- m*mn]. Per block: acc = fma(float(sum of sc*(dot - zero*asum)),
           ///< d*a_scale, acc) [then acc = fma(float(-sum of mn*asum), m*a_scale, acc)], sums over the
           ///< block's sub-blocks.
};

}  // namespace sterna
