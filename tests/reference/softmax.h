// The oracle of softmax: m = max x; e = exp(x - m) with detmath's exp; y = e * (1 / lane-rule sum of e).
#pragma once

#include <cstddef>

#include "base/detmath.h"
#include "reference/lanes.h"

namespace sterna::reference {

inline void softmax(const float* x, size_t n, float* y) {
  float m = x[0];
  for (size_t i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;
  LaneSum sum;
  for (size_t i = 0; i < n; ++i) {
    y[i] = detmath::expf(x[i] - m);
    sum.add(i, y[i]);
  }
  const float inverse = 1.0f / sum.total();
  for (size_t i = 0; i < n; ++i) y[i] *= inverse;
}

}  // namespace sterna::reference
