// What becomes of the products of the output matrix before anybody sees them: y = softcap(x * scale).
#pragma once

namespace sterna::cpu {

struct LogitMap {
  float scale = 1;  ///< Above 0.
  float cap = 0;    ///< 0: none.
  bool identity() const { return scale == 1 && cap == 0; }

  /// A number such that every x below has a y below y(x0) - gap, rounded as they are, so that no tie is lost.
  /// With a cap: x * scale, its product with 1/cap, and softcap's own steps are rounded, which is less than
  /// 2^-21 cap in y (u tanh'(u) is below 1/2; tanh is within 2^-23, twice 2^-24 for each rounding), for x and
  /// x0 together less than the margin of 2^-20 cap. Without one x * scale is rounded, monotonely: the margin
  /// of 2^-22 covers both. The doubles' own roundings are far below.
  double bound(double x0, double gap) const;
};

}  // namespace sterna::cpu
