// The oracle of gated activations: act(gate) * up.
//   silu:  g / (1 + exp(-g))
//   relu2: r * r, r = max(g, 0), NaN of NaN
//   gelu:  g / (1 + exp(-2u)), u = sqrt(2/pi) * fma(0.044715*g, g*g, g)
// Constants are rounded to f32; every written operation rounds once; exp is detmath's.
#pragma once

#include "base/detmath.h"

namespace sterna::reference {

inline float silu(float g) {
  const float e = detmath::expf(-g);
  return g / (1.0f + e);
}

inline float relu2(float g) {
  const float r = g < 0.0f ? 0.0f : g;
  return r * r;
}

inline float gelu(float g) {
  const float cubic = 0.044715f * g, square = g * g;
  const float inner = std::fma(cubic, square, g);
  const float u = 0.79788456080286535588f * inner;  // sqrt(2/pi)
  const float e = detmath::expf(-2.0f * u);
  return g / (1.0f + e);
}

}  // namespace sterna::reference
