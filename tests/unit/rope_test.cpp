// Rotary angles.
#include "backends/cpu/rope.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace sterna {

TEST_SUITE("unit") {
  TEST_CASE("rotary angles against libm") {
    cpu::RopeSpec s;
    s.n_rot = 64, s.base = 500000;
    std::vector<float> cos(32), sin(32);
    for (size_t pos : {0, 1, 77, 4095, 131071}) {
      cpu::rope_row(s, {}, pos, cos.data(), sin.data());
      for (size_t i = 0; i < 32; i++) {
        const double angle = double(pos) * std::pow(500000.0, -2.0 * double(i) / 64);
        CHECK(std::abs(cos[i] - std::cos(angle)) < 1e-7);
        CHECK(std::abs(sin[i] - std::sin(angle)) < 1e-7);
      }
    }
  }
}

}  // namespace sterna
