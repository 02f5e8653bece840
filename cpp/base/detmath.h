// Our own elementary functions: polynomials over IEEE + - * / fma, so that every compiler, C library and CPU
// gives the same bits. float versions (<= 2 ulp, tested over all floats) are templates over a vector type so
// that kernels of every instruction set evaluate the very same operations; double versions serve tables.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace sterna::detmath {

/// One float with the operations that exp() needs, like the vectors F of the kernels' vec.h.
struct Scalar {
  float v;
  static Scalar set1(float x) { return {x}; }
  friend Scalar operator*(Scalar a, Scalar b) { return {a.v * b.v}; }
};
inline Scalar fma(Scalar a, Scalar b, Scalar c) { return {std::fma(a.v, b.v, c.v)}; }
inline Scalar max(Scalar a, Scalar b) { return {a.v > b.v ? a.v : b.v}; }
inline Scalar min(Scalar a, Scalar b) { return {a.v < b.v ? a.v : b.v}; }
inline Scalar rne(Scalar a) { return {(a.v + 0x1.8p23f) - 0x1.8p23f}; }  // |a| < 2^22
/// 2^n for integral n in [-126, 127].
inline Scalar exp2i(Scalar n) { return {std::bit_cast<float>(uint32_t(int32_t(n.v) + 127) << 23)}; }

/// e^x: 0 below -104, infinite above 89.
///   n = rne(x*log2 e), clamped to [-150, 128]; r = x - n*ln 2, in two fma steps;
///   a degree-7 Taylor-like polynomial of r; times 2^n, in two exact steps: denormal results round once.
template <class F>
inline F exp(F x) {
  x = max(min(x, F::set1(89.0f)), F::set1(-104.0f));
  const F n = rne(x * F::set1(0x1.715476p0f));
  F r = fma(n, F::set1(-0x1.62e4p-1f), x);   // ln 2, high part: 15 bits, n*hi is exact
  r = fma(n, F::set1(-0x1.7f7d1cp-20f), r);  // ln 2, low part
  F p = F::set1(0x1.a01a02p-13f);            // 1/7!
  p = fma(p, r, F::set1(0x1.6c16c2p-10f));   // 1/6!
  p = fma(p, r, F::set1(0x1.111112p-7f));
  p = fma(p, r, F::set1(0x1.555556p-5f));
  p = fma(p, r, F::set1(0x1.555556p-3f));
  p = fma(p, r, F::set1(0.5f));
  p = fma(p, r, F::set1(1.0f));
  p = fma(p, r, F::set1(1.0f));
  const F half = rne(n * F::set1(0.5f));
  const F rest = fma(half, F::set1(-1.0f), n);
  return (p * exp2i(half)) * exp2i(rest);
}

inline float expf(float x) { return exp(Scalar{x}).v; }

// Doubles, for rotary tables, log-probabilities and sampling: about 1e-15 relative in the ranges used.
double exp(double x);
double log(double x);  ///< x > 0, finite, normal.
/// sin and cos of an angle in radians, |angle| < kLargestAngle.
constexpr double kLargestAngle = 0x1p30;
void sincos(double angle, double* sin, double* cos);
inline double pow(double base, double e) { return exp(e * log(base)); }  ///< base > 0

}  // namespace sterna::detmath
