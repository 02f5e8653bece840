// The oracle of rotary position embedding on one head, in place: (a, b) -> (fma(-b, sin, a*cos), fma(a, sin,
// b*cos)). Pair i is (i, i + n_rot/2) for "neox" and (2i, 2i+1) for "norm".
#pragma once

#include <cmath>
#include <cstddef>

namespace sterna::reference {

inline void rope(float* x, const float* cos, const float* sin, size_t n_rot, bool neox) {
  for (size_t i = 0; i < n_rot / 2; ++i) {
    float& first = x[neox ? i : 2 * i];
    float& second = x[neox ? i + n_rot / 2 : 2 * i + 1];
    const float a = first, b = second;
    const float ac = a * cos[i], bc = b * cos[i];
    first = std::fma(-b, sin[i], ac);
    second = std::fma(a, sin[i], bc);
  }
}

}  // namespace sterna::reference
