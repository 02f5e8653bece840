// The oracle of the residual addition: y += x.
#pragma once

#include <cstddef>

namespace sterna::reference {

inline void add(const float* x, size_t n, float* y) {
  for (size_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace sterna::reference
