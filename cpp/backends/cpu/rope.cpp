// Angles in double by our own functions, rounded once to float: the same table on every machine.
#include "backends/cpu/rope.h"

#include <algorithm>
#include <cmath>

#include "base/detmath.h"

namespace sterna::cpu {

namespace {

/// The angles of a position's pairs.
class Angles {
 public:
  Angles(const RopeSpec& s, std::span<const float> factors)
      : s_(s), factors_(factors), n_rot_(double(s.n_rot)), log_base_(detmath::log(s.base)) {
    if (s.yarn_ext_factor == 0) return;
    constexpr double kTwoPi = 6.283185307179586;
    const auto edge = [&](double beta) {
      return n_rot_ * detmath::log(s.yarn_original_ctx / (beta * kTwoPi)) / (2 * log_base_);
    };
    low_ = std::max(0.0, std::floor(edge(s.yarn_beta_fast)));
    high_ = std::min(n_rot_ - 1, std::ceil(edge(s.yarn_beta_slow)));
  }

  double operator()(size_t pos, size_t i) const {
    double angle = double(pos) * detmath::exp(-2.0 * double(i) / n_rot_ * log_base_);
    if (!factors_.empty()) angle /= factors_[i];
    if (s_.yarn_ext_factor == 0) return angle * s_.freq_scale;
    const double beyond = std::clamp((double(i) - low_) / std::max(0.001, high_ - low_), 0.0, 1.0);
    const double ramp = (1 - beyond) * s_.yarn_ext_factor;
    return angle * s_.freq_scale * (1 - ramp) + angle * ramp;
  }

 private:
  const RopeSpec& s_;
  std::span<const float> factors_;
  double n_rot_, log_base_, low_ = 0, high_ = 0;
};

}  // namespace

bool rope_is_exact(const RopeSpec& s, std::span<const float> factors, size_t n_positions) {
  const Angles angles(s, factors);
  for (size_t i = 0; i < s.n_rot / 2; i++)
    if (!(std::fabs(angles(n_positions, i)) < detmath::kLargestAngle)) return false;
  return true;
}

void rope_row(const RopeSpec& s, std::span<const float> factors, size_t pos, float* cos, float* sin) {
  const Angles angles(s, factors);
  for (size_t i = 0; i < s.n_rot / 2; i++) {
    double sine, cosine;
    detmath::sincos(angles(pos, i), &sine, &cosine);
    cos[i] = float(cosine * s.magnitude);
    sin[i] = float(sine * s.magnitude);
  }
}

}  // namespace sterna::cpu
