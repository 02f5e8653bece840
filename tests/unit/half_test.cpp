// base/half.h against the compiler's own 16-bit float and against the definition of bfloat16.
#include "base/half.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>

namespace {

using namespace sterna;

bool is_nan16(uint16_t h, uint16_t infinity) { return (h & 0x7fff) > infinity; }

/// Calls visit(float) on a dense sample of all floats, and on the 16-bit values of `to_float`, the midpoints
/// between neighbours and the floats directly beside both: where rounding changes its mind.
template <class ToFloat, class Visit>
void for_each_interesting_float(ToFloat to_float, Visit visit) {
  for (uint64_t i = 0; i < (uint64_t(1) << 32); i += 1009) visit(std::bit_cast<float>(uint32_t(i)));
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float here = to_float(uint16_t(h)), next = to_float(uint16_t(h + 1));
    if (!std::isfinite(here)) continue;
    const uint32_t bits = std::bit_cast<uint32_t>(here);
    for (int d : {-1, 0, 1}) visit(std::bit_cast<float>(bits + uint32_t(d)));
    // The midpoint to infinity is where an exponent range without infinity would have it.
    const double gap =
        std::isfinite(next) ? double(next) - double(here) : double(here) - double(to_float(uint16_t(h - 1)));
    const float middle = float(double(here) + gap / 2);
    for (int d : {-1, 0, 1}) visit(std::bit_cast<float>(std::bit_cast<uint32_t>(middle) + uint32_t(d)));
  }
}

TEST_SUITE_BEGIN("unit");

TEST_CASE("half: all f16 values survive a round trip, and NaNs stay NaNs") {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const uint16_t h = uint16_t(i);
    if (is_nan16(h, 0x7c00)) {
      CHECK(std::isnan(f16_to_f32(h)));
      CHECK(is_nan16(f32_to_f16(f16_to_f32(h)), 0x7c00));
    } else {
      CHECK(f32_to_f16(f16_to_f32(h)) == h);
    }
  }
}

TEST_CASE("half: all bf16 values survive a round trip, and NaNs stay NaNs") {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const uint16_t b = uint16_t(i);
    if (is_nan16(b, 0x7f80)) {
      CHECK(std::isnan(bf16_to_f32(b)));
      CHECK(is_nan16(f32_to_bf16(bf16_to_f32(b)), 0x7f80));
    } else {
      CHECK(f32_to_bf16(bf16_to_f32(b)) == b);
    }
  }
}

TEST_CASE("half: known f16 and bf16 values") {
  CHECK(f16_to_f32(0x0001) == 0x1p-24f);
  CHECK(f16_to_f32(0x03ff) == 0x1.ff8p-15f);
  CHECK(f16_to_f32(0x0400) == 0x1p-14f);
  CHECK(f16_to_f32(0x3c00) == 1.0f);
  CHECK(f16_to_f32(0xc000) == -2.0f);
  CHECK(f16_to_f32(0x7bff) == 65504.0f);
  CHECK(f16_to_f32(0x7c00) == INFINITY);
  CHECK(f16_to_f32(0xfc00) == -INFINITY);
  CHECK(std::signbit(f16_to_f32(0x8000)));
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(0x1p-25f) == 0x0000);  // a tie, to even
  CHECK(f32_to_f16(0x1.000002p-25f) == 0x0001);
  CHECK(f32_to_f16(-0x1.8p-24f) == 0x8002);
  CHECK(bf16_to_f32(0x3f80) == 1.0f);
  CHECK(f32_to_bf16(0x1.01p0f) == 0x3f80);  // a tie, to even
  CHECK(f32_to_bf16(0x1.03p0f) == 0x3f82);
  CHECK(f32_to_bf16(3.4028235e38f) == 0x7f80);
  CHECK(f32_to_bf16(1e-45f) == 0x0000);
}

#if defined(__aarch64__) || defined(__FLT16_MANT_DIG__)
#ifdef __aarch64__
using CompilerHalf = __fp16;  // older compilers have no _Float16 in C++ here
#else
using CompilerHalf = _Float16;
#endif

TEST_CASE("half: f16 agrees with the compiler's own type") {
  uint64_t differences = 0;
  float at = 0;
  for_each_interesting_float(f16_to_f32, [&](float f) {
    const uint16_t expected = std::bit_cast<uint16_t>(CompilerHalf(f)), got = f32_to_f16(f);
    const bool same =
        std::isnan(f) ? is_nan16(got, 0x7c00) && (got & 0x8000) == (expected & 0x8000) : got == expected;
    if (!same) ++differences, at = f;
  });
  CHECK_MESSAGE(differences == 0, differences << " differences, one at " << at);
  for (uint32_t h = 0; h < 0x10000; ++h) {
    if (is_nan16(uint16_t(h), 0x7c00)) continue;
    CHECK(std::bit_cast<uint32_t>(f16_to_f32(uint16_t(h))) ==
          std::bit_cast<uint32_t>(float(std::bit_cast<CompilerHalf>(uint16_t(h)))));
  }
}
#endif

TEST_CASE("half: bf16 is the nearest, and the even one of two equally near") {
  uint64_t differences = 0;
  float at = 0;
  for_each_interesting_float(bf16_to_f32, [&](float f) {
    if (std::isnan(f)) return;
    // Truncation gives the neighbour towards zero; its successor is the other one. Beyond the last finite
    // value the successor is counted as 2^128.
    const uint16_t low = uint16_t(std::bit_cast<uint32_t>(f) >> 16);
    const auto magnitude = [](uint16_t b) {
      return (b & 0x7fff) == 0x7f80 ? 0x1p128 : std::fabs(double(bf16_to_f32(b)));
    };
    uint16_t expected = low;
    if (std::isfinite(f)) {
      const uint16_t high = uint16_t(low + 1);
      const double down = std::fabs(double(f)) - magnitude(low), up = magnitude(high) - std::fabs(double(f));
      if (up < down || (up == down && low % 2 == 1)) expected = high;
    }
    if (f32_to_bf16(f) != expected) ++differences, at = f;
  });
  CHECK_MESSAGE(differences == 0, differences << " differences, one at " << at);
}

TEST_SUITE_END();

}  // namespace
