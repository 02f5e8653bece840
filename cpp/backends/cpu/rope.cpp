// Angles in double by our own functions, rounded once to float: the same table on every machine.
#include "backends/cpu/rope.h"

#include <algorithm>
#include <cmath>

#include "base/detmath.h"

namespace sterna::cpu {

void rope_row(const RopeSpec& s, std::span<const float> factors, size_t pos, float* cos, float* sin) {
  const double n_rot = double(s.n_rot), log_base = detmath::log(s.base);
  double low = 0, high = 0;
  if (s.yarn_ext_factor != 0) {
    constexpr double kTwoPi = 6.283185307179586;
    const auto edge = [&](double beta) {
      return n_rot * detmath::log(s.yarn_original_ctx / (beta * kTwoPi)) / (2 * log_base);
    };
    low = std::max(0.0, std::floor(edge(s.yarn_beta_fast)));
    high = std::min(n_rot - 1, std::ceil(edge(s.yarn_beta_slow)));
  }
  for (size_t i = 0; i < s.n_rot / 2; i++) {
    double angle = double(pos) * detmath::exp(-2.0 * double(i) / n_rot * log_base);
    if (!factors.empty()) angle /= factors[i];
    if (s.yarn_ext_factor != 0) {
      const double beyond = std::clamp((double(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
      const double ramp = (1 - beyond) * s.yarn_ext_factor;
      angle = angle * s.freq_scale * (1 - ramp) + angle * ramp;
    } else {
      angle *= s.freq_scale;
    }
    double sine, cosine;
    detmath::sincos(angle, &sine, &cosine);
    cos[i] = float(cosine * s.magnitude);
    sin[i] = float(sine * s.magnitude);
  }
}

}  // namespace sterna::cpu
