// Accuracy and special values of base/detmath.h. expf is checked against a double for every 257th float, or
// for all of them with STERNA_TEST_FULL=1 (one to three minutes).
#include "base/detmath.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>

namespace {

using namespace sterna;

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Distance of an f32 result from the true value, in units of its last place (2^-149 among denormals).
double ulps(float got, double truth) {
  const int exponent = std::max(std::ilogb(truth), -126);
  return std::fabs(double(got) - truth) / std::ldexp(1.0, exponent - 23);
}

struct Worst {
  double error = 0;
  double at = 0;
  void see(double e, double x) {
    if (!(e <= error)) error = e, at = x;
  }
};

TEST_SUITE_BEGIN("unit");

TEST_CASE("detmath: expf is within 2 ulp of e^x") {
  const char* env = std::getenv("STERNA_TEST_FULL");
  const bool full = env && *env == '1';
  if (!full) std::fprintf(stderr, "detmath: expf on every 257th float (STERNA_TEST_FULL=1: on all)\n");
  Worst worst;
  uint64_t wrong = 0;
  float wrong_at = 0;
  for (uint64_t i = 0; i < (uint64_t(1) << 32); i += full ? 1 : 257) {
    const float x = std::bit_cast<float>(uint32_t(i));
    if (std::isnan(x)) continue;
    const float got = detmath::expf(x);
    // Beyond these the result must be exactly 0 or infinite: e^88.7228 is the largest finite one, and
    // e^-103.98 > 2^-150.
    if (x < -104.0f || x > 88.73f) {
      const float expected = x < 0 ? 0.0f : kInf;
      if (got != expected || std::signbit(got)) ++wrong, wrong_at = x;
      continue;
    }
    const double truth = std::exp(double(x));
    if (truth > 0x1.ffffffp127) {  // rounds to infinity
      if (got != kInf) ++wrong, wrong_at = x;
    } else {
      worst.see(ulps(got, truth), x);
    }
  }
  CHECK_MESSAGE(wrong == 0, "wrong zero or infinity at " << wrong << " floats, one is " << wrong_at);
  MESSAGE("largest error of expf: " << worst.error << " ulp at " << worst.at);
  CHECK_MESSAGE(worst.error <= 2.0, worst.error << " ulp at " << worst.at);
}

TEST_CASE("detmath: expf of special values") {
  for (float x : {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-40f, 1e-20f, -1e-20f}) CHECK(detmath::expf(x) == 1.0f);
  CHECK(detmath::expf(kInf) == kInf);
  CHECK(detmath::expf(-kInf) == 0.0f);
  CHECK_FALSE(std::signbit(detmath::expf(-kInf)));
  CHECK(detmath::expf(std::numeric_limits<float>::max()) == kInf);
  CHECK(detmath::expf(std::numeric_limits<float>::lowest()) == 0.0f);
  CHECK(detmath::expf(-103.0f) == 0x1p-149f);  // the smallest denormal
  CHECK(detmath::expf(-87.5f) < std::numeric_limits<float>::min());
  CHECK(detmath::expf(-87.5f) > 0.0f);
  // 1 is never passed from the wrong side, or a softmax could exceed 1.
  for (float x = -0x1p-30f; x > -1.0f; x *= 1.37f) {
    CHECK(detmath::expf(x) <= 1.0f);
    CHECK(detmath::expf(-x) >= 1.0f);
  }
}

TEST_CASE("detmath: tanhf is within 2 ulp of tanh x, and never larger than |x| or 1") {
  const char* env = std::getenv("STERNA_TEST_FULL");
  Worst worst;
  uint64_t wrong = 0;
  float wrong_at = 0;
  for (uint64_t i = 0; i < (uint64_t(1) << 32); i += env && *env == '1' ? 1 : 257) {
    const float x = std::bit_cast<float>(uint32_t(i));
    if (std::isnan(x)) continue;
    const float got = detmath::tanhf(x);
    if (!(std::fabs(got) <= std::fmin(std::fabs(x), 1.0f)) || std::signbit(got) != std::signbit(x))
      ++wrong, wrong_at = x;
    if (x != 0) worst.see(ulps(got, std::tanh(double(x))), x);
  }
  CHECK_MESSAGE(wrong == 0, "out of bounds or another sign at " << wrong << " floats, one is " << wrong_at);
  MESSAGE("largest error of tanhf: " << worst.error << " ulp at " << worst.at);
  CHECK_MESSAGE(worst.error <= 2.0, worst.error << " ulp at " << worst.at);
  CHECK(detmath::tanhf(kInf) == 1.0f);
  CHECK(detmath::tanhf(-kInf) == -1.0f);
  CHECK(std::isnan(detmath::tanhf(std::numeric_limits<float>::quiet_NaN())));
}

/// Even steps over [low, high].
template <class Visit>
void sweep(double low, double high, int steps, Visit visit) {
  for (int i = 0; i <= steps; ++i) visit(low + (high - low) * i / steps);
}

double relative_error(double got, long double truth) { return std::fabs(double((got - truth) / truth)); }

TEST_CASE("detmath: double exp is within 4e-16 of e^x, relative") {
  Worst worst;
  for (double range : {1.0, 20.0, 700.0}) {
    sweep(-range, range, 200001,
          [&](double x) { worst.see(relative_error(detmath::exp(x), std::exp((long double)x)), x); });
  }
  CHECK_MESSAGE(worst.error <= 4e-16, worst.error << " at " << worst.at);
  CHECK(detmath::exp(0.0) == 1.0);
  CHECK(detmath::exp(-1e9) == 0.0);
  CHECK(detmath::exp(1e9) == std::numeric_limits<double>::infinity());
  CHECK(detmath::exp(-std::numeric_limits<double>::infinity()) == 0.0);
}

TEST_CASE("detmath: double log is within 4e-16 of ln x, relative, except near 1 absolute") {
  Worst worst;
  const auto see = [&](double x) {
    const long double truth = std::log((long double)x);
    worst.see(std::fabs(double(detmath::log(x) - truth)) / std::fmax(1e-3, std::fabs(double(truth))), x);
  };
  sweep(1e-6, 4.0, 200001, see);
  sweep(1.0, 1e6, 200001, see);
  for (int e = -1021; e <= 1023; ++e) see(std::ldexp(1.2345, e));
  CHECK_MESSAGE(worst.error <= 4e-16, worst.error << " at " << worst.at);
  CHECK(detmath::log(1.0) == 0.0);
}

TEST_CASE("detmath: sin and cos are within 2e-16 of the truth up to 1e6, 1e-15 up to 2^30") {
  const auto worst_on = [](double low, double high, int steps) {
    Worst worst;
    sweep(low, high, steps, [&](double x) {
      double s, c;
      detmath::sincos(x, &s, &c);
      worst.see(std::fabs(double(s - std::sin((long double)x))), x);
      worst.see(std::fabs(double(c - std::cos((long double)x))), x);
    });
    return worst;
  };
  for (double range : {1.0, 100.0, 1e4, 1e6}) {
    const Worst worst = worst_on(-range, range, 200001);
    CHECK_MESSAGE(worst.error <= 2e-16, worst.error << " at " << worst.at);
  }
  const Worst far = worst_on(-0x1p30, 0x1p30, 200001), integers = worst_on(0, 131072, 131072);
  CHECK_MESSAGE(far.error <= 1e-15, far.error << " at " << far.at);
  CHECK_MESSAGE(integers.error <= 2e-16, integers.error << " at " << integers.at);
  double s, c;
  detmath::sincos(0.0, &s, &c);
  CHECK(s == 0.0);
  CHECK(c == 1.0);
}

TEST_CASE("detmath: sin keeps its relative accuracy beside multiples of pi") {
  Worst worst;
  for (int n = 1; n < 300000; n += 37) {
    const double x = double(n * 3.14159265358979323846264338327950288L);
    double s, c;
    detmath::sincos(x, &s, &c);
    // sin x is about the rounding error of x: 1e-16 x. Only a reduction with a long pi gets it right.
    worst.see(relative_error(s, std::sin((long double)x)), x);
  }
  CHECK_MESSAGE(worst.error <= 1e-6, worst.error << " at " << worst.at);
}

TEST_CASE("detmath: pow of rotary tables is within 3e-16 (1 + |e log base|), relative") {
  Worst worst;
  for (double base : {2.0, 10000.0, 500000.0, 1e6, 1e7}) {
    sweep(-1.0, 1.0, 2001, [&](double e) {
      const double bound = 3e-16 * (1 + std::fabs(e * std::log(base)));
      worst.see(relative_error(detmath::pow(base, e), std::pow((long double)base, (long double)e)) / bound,
                e);
    });
  }
  CHECK_MESSAGE(worst.error <= 1.0, worst.error << " of the bound, exponent " << worst.at);
}

TEST_SUITE_END();

}  // namespace
