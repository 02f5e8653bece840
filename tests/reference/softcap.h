// The oracle of soft caps: tanh(x * (1/cap)) * cap. Every written operation rounds once; tanh is detmath's.
#pragma once

#include "base/detmath.h"

namespace sterna::reference {

inline float softcap(float x, float cap) {
  const float inverse = 1.0f / cap, u = x * inverse;
  return detmath::tanhf(u) * cap;
}

}  // namespace sterna::reference
