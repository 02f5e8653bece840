// The oracle of matmul with floating-point weights.
//   out = lane-rule sum over k of fma(float(w[k]), x[k], partial)
#pragma once

#include <cstddef>

#include "reference/lanes.h"

namespace sterna::reference {

/// One output element; `w` are the row's weights, already floats (f16 and bf16 convert exactly).
inline float fgemm(const float* w, const float* x, size_t depth) {
  LaneSum sum;
  for (size_t k = 0; k < depth; ++k) sum.add_product(k, w[k], x[k]);
  return sum.total();
}

}  // namespace sterna::reference
