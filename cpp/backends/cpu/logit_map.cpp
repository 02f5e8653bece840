// Which products can be among the largest logits.
#include "backends/cpu/logit_map.h"

#include <cmath>

#include "base/detmath.h"

namespace sterna::cpu {

double LogitMap::bound(double x0, double gap) const {
  if (identity()) return x0 - gap;
  const double y = x0 * double(scale), c = double(cap);
  if (cap == 0) return (y - gap - 0x1p-22 * (std::fabs(y) + gap)) / double(scale);
  const double t = 1 - 2 / (1 + detmath::exp(2 * y / c)) - gap / c - 0x1p-20;  // tanh, less gap and margin
  if (!(t > -1)) return -HUGE_VAL;
  return c / 2 * detmath::log((1 + t) / (1 - t)) / double(scale);
}

}  // namespace sterna::cpu
