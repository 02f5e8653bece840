// The contracts of the small operations around the matmuls. All arithmetic is IEEE binary32, one rounding per
// written operation, fma only where written; sums follow the lane rule (fgemm.h); exp is detmath's. No size
// needs to be a multiple of anything.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

/// quantize, a total function.
///   "row":   amax = max(max |x|, floor), q = 127/amax, code = clamp(rne(x*q), -128, 127), scale = amax/127;
///            one scale and one sum.
///   "block": the same per `block` elements; sum[i] = sum of codes i*sum_block .. (exact).
/// A row or block with an element that is not finite has the scale NaN and codes 0, so that all it is
/// multiplied with becomes NaN; one whose q is not finite (zeros, and amax below about 127 * 2^-128 = 2^-121)
/// has scale 0 and codes 0. Codes beyond n up to the next multiple of 32 are written as 0.
struct QuantizeArgs {
  const float* x;
  size_t n;
  size_t block;      ///< "block": elements per scale, multiple of 32, n % block == 0. "row": ignored.
  size_t sum_block;  ///< "block": 16, 32 or block, divides block. "row": ignored, one sum.
  int8_t* codes;
  float* scale;
  int32_t* sum;
  float floor = 0;  ///< 1e-5 for BitNet's rows, which were trained with it; 0 elsewhere.
};
using QuantizeFn = void(const QuantizeArgs&);

/// rmsnorm "f32": y = (x * r) * w, r = 1 / sqrt(mean + eps) + (mean - mean), mean = lane-rule sum of
/// fma(x, x, partial) / n. What is added is +0 or, where the sum overflows, NaN: not a row of zeros.
/// y may be x.
using RmsNormFn = void(const float* x, const float* w, size_t n, float eps, float* y);

/// rope "neox": pairs (i, i + n_rot/2); "norm": pairs (2i, 2i+1); in place on one head, elements >= n_rot
/// untouched. (a, b) -> (fma(-b, sin, a*cos), fma(a, sin, b*cos)); cos, sin hold n_rot/2 values.
using RopeFn = void(float* x, const float* cos, const float* sin, size_t n_rot);

/// softmax "f32": m = max x; e = exp(x - m); y = e * (1 / lane-rule sum of e). y may be x. n > 0.
using SoftmaxFn = void(const float* x, size_t n, float* y);

/// glu: y = act(gate) * up. "silu": g / (1 + exp(-g)). "relu2": r*r with r = max(g, 0). "gelu": g / (1 +
/// exp(-2u)), u = sqrt(2/pi) * fma(0.044715*g, g*g, g) (the tanh form of GELU). y may be gate.
using GluFn = void(const float* gate, const float* up, size_t n, float* y);

/// add "f32": y += x.
using AddFn = void(const float* x, size_t n, float* y);

}  // namespace sterna::kernels
