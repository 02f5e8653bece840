// The oracle of RMSNorm.
//   mean = (lane-rule sum of fma(x, x, partial)) / n; r = 1 / sqrt(mean + eps) + (mean - mean); y = (x * r) * w
#pragma once

#include <cmath>
#include <cstddef>

#include "reference/lanes.h"

namespace sterna::reference {

inline void rmsnorm(const float* x, const float* w, size_t n, float eps, float* y) {
  LaneSum sum;
  for (size_t i = 0; i < n; ++i) sum.add_product(i, x[i], x[i]);
  const float mean = sum.total() / float(n);
  const float r = 1.0f / std::sqrt(mean + eps) + (mean - mean);
  for (size_t i = 0; i < n; ++i) {
    const float scaled = x[i] * r;
    y[i] = scaled * w[i];
  }
}

}  // namespace sterna::reference
