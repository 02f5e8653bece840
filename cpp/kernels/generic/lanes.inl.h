// The lane rule and other things that several float kernels need: sums over 16 partials, tails shorter
// than 16.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {

/// Adds 16 partials as the tree s[j] += s[j+8], then +4, +2, +1.
inline float sum_tree(F v) {
  float s[16];
  v.store(s);
  for (int w = 8; w; w /= 2)
    for (int j = 0; j < w; j++) s[j] += s[j + w];
  return s[0];
}

inline int32_t sum_lanes(I v) {
  int32_t s[16], sum = 0;
  v.store(s);
  for (int j = 0; j < 16; j++) sum += s[j];
  return sum;
}

inline float max_lane(F v) {
  float s[16];
  v.store(s);
  for (int j = 1; j < 16; j++) s[0] = s[0] > s[j] ? s[0] : s[j];
  return s[0];
}

/// The first n < 16 floats at p, the rest `fill`.
inline F load_part(const float* p, size_t n, float fill = 0) {
  float t[16];
  for (size_t i = 0; i < 16; i++) t[i] = i < n ? p[i] : fill;
  return F::load(t);
}

inline void store_part(float* p, size_t n, F v) {
  float t[16];
  v.store(t);
  for (size_t i = 0; i < n; i++) p[i] = t[i];
}

/// acc with only its first n lanes replaced by fma(a, x, acc): a tail must not touch the other partials (-0 +
/// 0 is +0).
inline F fma_tail(F a, const float* x, F acc, size_t n) {
  float s[16], t[16];
  fma(a, load_part(x, n), acc).store(s);
  acc.store(t);
  for (size_t i = 0; i < n; i++) t[i] = s[i];
  return F::load(t);
}

/// acc with only its first n lanes increased by x.
inline F add_tail(F x, F acc, size_t n) {
  float s[16], t[16];
  (acc + x).store(s);
  acc.store(t);
  for (size_t i = 0; i < n; i++) t[i] = s[i];
  return F::load(t);
}

/// y[i] = f(x[i], x2[i]) over n elements, 16 at a time; y may be x or x2.
template <class Fn>
inline void map2(const float* x, const float* x2, size_t n, float* y, Fn f) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) f(F::load(x + i), F::load(x2 + i)).store(y + i);
  if (i < n) store_part(y + i, n - i, f(load_part(x + i, n - i), load_part(x2 + i, n - i)));
}

}  // namespace
