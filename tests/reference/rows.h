// The oracle of the product of chosen rows: acc[row] += x[input] * w, one fma chain for each element.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sterna::reference {

/// One pair. w: [depth][16 * n_panels] by panels, [n_panels][depth][16].
inline void rows(const float* x, size_t depth, const float* w, size_t n_panels, float* acc) {
  for (size_t c = 0; c < 16 * n_panels; c++)
    for (size_t i = 0; i < depth; i++) acc[c] = std::fma(x[i], w[(c / 16 * depth + i) * 16 + c % 16], acc[c]);
}

}  // namespace sterna::reference
