// Our own elementary functions: polynomials over IEEE + - * / fma, so that every compiler, C library and CPU
// gives the same bits. float versions (<= 2 ulp, tested over all floats) are templates over a vector type so
// that kernels of every instruction set evaluate the very same operations; double versions serve tables.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace sterna::detmath {

/// One float with the operations that exp() and tanh() need, like the vectors F of the kernels' vec.h.
struct Scalar {
  float v;
  static Scalar set1(float x) { return {x}; }
  friend Scalar operator+(Scalar a, Scalar b) { return {a.v + b.v}; }
  friend Scalar operator-(Scalar a, Scalar b) { return {a.v - b.v}; }
  friend Scalar operator*(Scalar a, Scalar b) { return {a.v * b.v}; }
  friend Scalar operator/(Scalar a, Scalar b) { return {a.v / b.v}; }
};
inline Scalar abs(Scalar a) { return {std::fabs(a.v)}; }
inline Scalar fma(Scalar a, Scalar b, Scalar c) { return {std::fma(a.v, b.v, c.v)}; }
inline Scalar max(Scalar a, Scalar b) { return {a.v > b.v ? a.v : b.v}; }
inline Scalar min(Scalar a, Scalar b) { return {a.v < b.v ? a.v : b.v}; }
inline Scalar rne(Scalar a) { return {(a.v + 0x1.8p23f) - 0x1.8p23f}; }  // |a| < 2^22
/// 2^n for integral n in [-126, 127].
inline Scalar exp2i(Scalar n) { return {std::bit_cast<float>(uint32_t(int32_t(n.v) + 127) << 23)}; }

/// x = n ln 2 + r with n = rne(x*log2 e), in two fma steps; p: a Taylor-like polynomial with
/// e^r = 1 + r + r*r*p to the seventh degree.
template <class F>
inline void reduce(F x, F& n, F& r, F& p) {
  n = rne(x * F::set1(0x1.715476p0f));
  r = fma(n, F::set1(-0x1.62e4p-1f), x);     // ln 2, high part: 15 bits, n*hi is exact
  r = fma(n, F::set1(-0x1.7f7d1cp-20f), r);  // ln 2, low part
  p = F::set1(0x1.a01a02p-13f);              // 1/7!
  p = fma(p, r, F::set1(0x1.6c16c2p-10f));   // 1/6!
  p = fma(p, r, F::set1(0x1.111112p-7f));
  p = fma(p, r, F::set1(0x1.555556p-5f));
  p = fma(p, r, F::set1(0x1.555556p-3f));
  p = fma(p, r, F::set1(0.5f));
}

/// e^x: 0 below -104, infinite above 89.
///   n, clamped to [-150, 128], r and p by reduce(); the polynomial times 2^n, in two exact steps: denormal
///   results round once.
template <class F>
inline F exp(F x) {
  x = max(min(x, F::set1(89.0f)), F::set1(-104.0f));
  F n, r, p;
  reduce(x, n, r, p);
  p = fma(p, r, F::set1(1.0f));
  p = fma(p, r, F::set1(1.0f));
  const F half = rne(n * F::set1(0.5f));
  const F rest = fma(half, F::set1(-1.0f), n);
  return (p * exp2i(half)) * exp2i(rest);
}

/// tanh x, of NaN NaN; never larger than |x| or 1.
///   h = (e^(2|x|) - 1) / 2 = fma(r + r*r*p, 2^(n-1), 2^(n-1) - 1/2), 2|x| up to 20, from where on the result
///   is 1; y = h / (h + 1), and what it lacks to first order, (h - y - y*h) * (1 - y); the sign of x.
template <class F>
inline F tanh(F x) {
  const F one = F::set1(1.0f), twice = min(abs(x) * F::set1(2.0f), F::set1(20.0f));
  F n, r, p;
  reduce(twice, n, r, p);
  const F power = exp2i(n - one), h = fma(fma(p, r * r, r), power, power - F::set1(0.5f));
  const F y = h / (h + one), minus = F::set1(0.0f) - y;
  const F z = min(one, fma(fma(minus, h, h - y), one - y, y));
  return max(F::set1(0.0f) - z, min(z, x));
}

/// A smooth bound of x: tanh(x * inverse) * cap, `inverse` being 1/cap.
template <class F>
inline F softcap(F x, F cap, F inverse) {
  return tanh(x * inverse) * cap;
}

inline float expf(float x) { return exp(Scalar{x}).v; }
inline float tanhf(float x) { return tanh(Scalar{x}).v; }
inline float softcapf(float x, float cap) { return softcap(Scalar{x}, Scalar{cap}, Scalar{1 / cap}).v; }

// Doubles, for rotary tables, log-probabilities and sampling: about 1e-15 relative in the ranges used.
double exp(double x);
double log(double x);  ///< x > 0, finite, normal.
/// sin and cos of an angle in radians, |angle| < kLargestAngle.
constexpr double kLargestAngle = 0x1p30;
void sincos(double angle, double* sin, double* cos);
inline double pow(double base, double e) { return exp(e * log(base)); }  ///< base > 0

}  // namespace sterna::detmath
