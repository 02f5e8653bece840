// Quantization to the formats that have an encoder: errors within half a step of the block, nothing lost
// where nothing has to be, and no float too large or too small.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "formats/format.h"

TEST_SUITE_BEGIN("formats");

namespace {

using namespace sterna;

std::vector<float> round_trip(const formats::Format& f, const std::vector<float>& x) {
  std::vector<uint8_t> bytes(formats::row_bytes(f, x.size()));
  std::vector<float> y(x.size());
  f.encode(x.data(), x.size(), bytes.data());
  f.decode(bytes.data(), x.size(), 1, y.data());
  return y;
}

}  // namespace

TEST_CASE("encoders round to the nearest code of their block") {
  // In units of the group's largest magnitude: half a step, or for the symmetric-in-name 4 and 6 bits a whole
  // one at the end without a code, plus the rounding of the scales (f16: 2^-11; Q6_K: a code of up to 127).
  struct Case {
    const char* name;
    size_t group;
    double limit, rms;
  };
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.1f);
  size_t encoders = 0;
  for (const formats::Format* f : formats::all()) encoders += f->encode != nullptr;
  CHECK(encoders == 3);
  for (const Case& c : {Case{"Q8_0", 32, 0.5 / 127 + 1e-3, 0.006}, Case{"Q4_0", 32, 1.0 / 8 + 1e-3, 0.1},
                        Case{"Q6_K", 16, 1.0 / 32 + 0.02, 0.025}}) {
    CAPTURE(c.name);
    const formats::Format& f = *formats::by_name(c.name);
    REQUIRE(bool(f.encode));
    std::vector<float> x(1024);
    for (int round = 0; round < 20; round++) {
      for (float& v : x) v = normal(random);
      const std::vector<float> y = round_trip(f, x);
      double errors = 0, squares = 0;
      for (size_t g = 0; g < x.size(); g += c.group) {
        double largest = 0, worst = 0;
        for (size_t i = g; i < g + c.group; i++) {
          largest = std::max(largest, std::fabs(double(x[i])));
          worst = std::max(worst, std::fabs(double(x[i]) - y[i]));
          errors += (double(x[i]) - y[i]) * (double(x[i]) - y[i]), squares += double(x[i]) * x[i];
        }
        CHECK(worst <= c.limit * largest);
      }
      CHECK(std::sqrt(errors / squares) < c.rms);
    }
    CHECK(round_trip(f, std::vector<float>(256)) == std::vector<float>(256));
    for (const float size : {1e-45f, 1e-30f, 1e-7f, 1e6f, 1e30f, 3e38f}) {
      for (size_t i = 0; i < x.size(); i++) x[i] = i % 3 ? size : -size * float(i % 5);
      if (size > 1e38f)
        for (float& v : x) v = std::clamp(v, -3e38f, 3e38f);
      for (const float v : round_trip(f, x)) CHECK(std::isfinite(v));
    }
  }
}

TEST_CASE("what Q8_0 and Q4_0 can hold survives encoding") {
  std::mt19937 random(2);
  for (const char* name : {"Q8_0", "Q4_0"}) {
    const formats::Format& f = *formats::by_name(name);
    std::vector<float> x(64);
    for (size_t i = 0; i < x.size(); i++)
      x[i] = 0.25f * (f.codes.bits == 8 ? float(int(random() % 255) - 127) : float(int(random() % 16) - 8));
    x[0] = x[32] = f.codes.bits == 8 ? 0.25f * 127 : -0.25f * 8;
    CHECK(round_trip(f, x) == x);
  }
}

TEST_SUITE_END();
