// Elementary functions of doubles over + - * / fma (see detmath.h): argument reduction, then a polynomial.
#include "base/detmath.h"

namespace sterna::detmath {

double exp(double x) {
  if (x > 709.0) return 0x1p1023 * 2.0;
  if (x < -740.0) return 0.0;
  const double n = (x * 0x1.71547652b82fep0 + 0x1.8p52) - 0x1.8p52;
  double r = std::fma(n, -0x1.62e42fefa0000p-1, x);  // ln 2 in two parts; n*hi is exact
  r = std::fma(n, -0x1.cf79abc9e3b3ap-40, r);
  double p = 1.0 / 6227020800.0;  // 1/13!
  for (int k = 12; k >= 0; k--) {
    static constexpr double kInverseFactorial[] = {
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,      1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};
    p = std::fma(p, r, kInverseFactorial[k]);
  }
  const auto power = [](int e) { return std::bit_cast<double>(uint64_t(e + 1023) << 52); };
  const int i = int(n), half = i / 2;
  return (p * power(half)) * power(i - half);
}

double log(double x) {
  // x = 2^e * m, m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.1716.
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int e = int(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
  if (m > 1.4142135623730951) m *= 0.5, e++;
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 1.0 / 23;
  for (int k = 21; k >= 3; k -= 2) p = std::fma(p, z, 1.0 / k);
  const double log_m = std::fma(2.0 * s, z * p, 2.0 * s);
  return std::fma(e, 0x1.62e42fefa0000p-1, std::fma(e, 0x1.cf79abc9e3b3ap-40, log_m));
}

void sincos(double angle, double* sin, double* cos) {
  // angle = n*pi/2 + r, |r| <= pi/4, pi/2 in three parts (exact products for n < 2^20).
  const double n = (angle * 0x1.45f306dc9c883p-1 + 0x1.8p52) - 0x1.8p52;
  double r = std::fma(n, -0x1.921fb54400000p0, angle);
  r = std::fma(n, -0x1.0b4611a600000p-34, r);
  r = std::fma(n, -0x1.3198a2e037073p-69, r);
  const double z = r * r;
  double s = 0, c = 0;
  // Taylor: sin r = r - r^3/3! ..., cos r = 1 - r^2/2! ...; 17 and 16 as last powers leave less than 1e-17.
  static constexpr double kSin[] = {-1.0 / 6,
                                    1.0 / 120,
                                    -1.0 / 5040,
                                    1.0 / 362880,
                                    -1.0 / 39916800,
                                    1.0 / 6227020800.0,
                                    -1.0 / 1307674368000.0,
                                    1.0 / 355687428096000.0};
  static constexpr double kCos[] = {
      -1.0 / 2,       1.0 / 24,          -1.0 / 720,           1.0 / 40320,
      -1.0 / 3628800, 1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
  for (int k = 7; k >= 0; k--) {
    s = std::fma(s, z, kSin[k]);
    c = std::fma(c, z, kCos[k]);
  }
  s = std::fma(r * z, s, r);
  c = std::fma(z, c, 1.0);
  switch (int64_t(n) & 3) {
    case 0:
      *sin = s, *cos = c;
      break;
    case 1:
      *sin = c, *cos = -s;
      break;
    case 2:
      *sin = -s, *cos = -c;
      break;
    default:
      *sin = -c, *cos = s;
      break;
  }
}

}  // namespace sterna::detmath
