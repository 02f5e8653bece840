// Norms, activations, softmax, rotary embedding and activation quantization, written once
// (contract/elementwise.h).
#pragma once

#include "base/detmath.h"
#include "kernels/contract/elementwise.h"
#include "kernels/generic/lanes.inl.h"

namespace {

namespace rmsnorm {
void f32(const float* x, const float* w, size_t n, float eps, float* y) {
  F acc = F::zero();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const F v = F::load(x + i);
    acc = fma(v, v, acc);
  }
  if (i < n) acc = fma_tail(load_part(x + i, n - i), x + i, acc, n - i);
  const float mean = sum_tree(acc) / float(n);
  const F r = F::set1(1.0f) / sqrt(F::set1(mean + eps)) + F::set1(mean - mean);
  map2(x, w, n, y, [&](F a, F b) { return (a * r) * b; });
}
}  // namespace rmsnorm

namespace add {
void f32(const float* x, size_t n, float* y) {
  map2(x, y, n, y, [](F a, F b) { return b + a; });
}
}  // namespace add

namespace glu {
inline F logistic_product(F g, F t) {  // g / (1 + exp(-t))
  return g / (F::set1(1.0f) + sterna::detmath::exp(F::set1(0.0f) - t));
}
void silu(const float* gate, const float* up, size_t n, float* y) {
  map2(gate, up, n, y, [](F g, F u) { return logistic_product(g, g) * u; });
}
void relu2(const float* gate, const float* up, size_t n, float* y) {
  map2(gate, up, n, y, [](F g, F u) {
    const F r = max(F::zero(), g);  // of a NaN, NaN
    return (r * r) * u;
  });
}
void gelu(const float* gate, const float* up, size_t n, float* y) {
  map2(gate, up, n, y, [](F g, F u) {
    const F inner = fma(F::set1(0.044715f) * g, g * g, g) * F::set1(0.7978845608f);
    return logistic_product(g, inner * F::set1(2.0f)) * u;
  });
}
}  // namespace glu

namespace softmax {
inline float max_of(const float* x, size_t n) {
  F m = F::set1(x[0]);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) m = max(F::load(x + i), m);
  if (i < n) m = max(load_part(x + i, n - i, x[0]), m);
  return max_lane(m);
}

/// y = exp(x - m); returns the lane-rule sum of y.
inline float exps(const float* x, size_t n, float m, float* y) {
  const F mv = F::set1(m);
  F sum = F::zero();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const F e = sterna::detmath::exp(F::load(x + i) - mv);
    e.store(y + i);
    sum = sum + e;
  }
  if (i < n) {
    const F e = sterna::detmath::exp(load_part(x + i, n - i, m) - mv);
    store_part(y + i, n - i, e);
    sum = add_tail(e, sum, n - i);
  }
  return sum_tree(sum);
}

void f32(const float* x, size_t n, float* y) {
  const float sum = exps(x, n, max_of(x, n), y);
  const F inv = F::set1(1.0f) / F::set1(sum);
  map2(y, y, n, y, [&](F e, F) { return e * inv; });
}
}  // namespace softmax

namespace rope {
void neox(float* x, const float* cos, const float* sin, size_t n_rot) {
  const size_t half = n_rot / 2;
  size_t i = 0;
  const auto rotate = [](F a, F b, F c, F s, F& ra, F& rb) {
    ra = fma(F::set1(-0.0f) - b, s, a * c);  // -b, also of zeros
    rb = fma(a, s, b * c);
  };
  for (; i + 16 <= half; i += 16) {
    F ra, rb;
    rotate(F::load(x + i), F::load(x + half + i), F::load(cos + i), F::load(sin + i), ra, rb);
    ra.store(x + i);
    rb.store(x + half + i);
  }
  if (const size_t n = half - i; n > 0) {
    F ra, rb;
    rotate(load_part(x + i, n), load_part(x + half + i, n), load_part(cos + i, n), load_part(sin + i, n), ra,
           rb);
    store_part(x + i, n, ra);
    store_part(x + half + i, n, rb);
  }
}

void norm(float* x, const float* cos, const float* sin, size_t n_rot) {
  for (size_t i = 0; i < n_rot / 2; i++) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = __builtin_fmaf(-b, sin[i], a * cos[i]);
    x[2 * i + 1] = __builtin_fmaf(a, sin[i], b * cos[i]);
  }
}
}  // namespace rope

namespace quantize {
using sterna::kernels::QuantizeArgs;

/// The largest magnitude, at least `floor`; NaN if an element is not a finite number.
inline float abs_max(const float* x, size_t n, float floor) {
  F m = F::set1(floor), odd = F::zero();  // odd: 0, or NaN, which max() would drop
  const auto see = [&](F v) {
    m = max(abs(v), m);
    odd = odd + (v - v);
  };
  size_t i = 0;
  for (; i + 16 <= n; i += 16) see(F::load(x + i));
  if (i < n) see(load_part(x + i, n - i));
  return max_lane(m) + sum_tree(odd);
}

/// codes = clamp(rne(x*q)); returns their sum. The clamp precedes the conversion so that no input is out of
/// its range.
inline int32_t codes(const float* x, size_t n, float q, int8_t* out) {
  const F qv = F::set1(q), lo = F::set1(-128.0f), hi = F::set1(127.0f);
  I sums = I::zero();
  size_t i = 0;
  const auto code = [&](F v) {
    const I c = to_int(min(max(v * qv, lo), hi));
    sums = sums + c;
    return c;
  };
  for (; i + 16 <= n; i += 16) store_i8(code(F::load(x + i)), out + i);
  if (i < n) {
    int8_t t[16];
    store_i8(code(load_part(x + i, n - i)), t);
    for (size_t j = 0; i + j < n; j++) out[i + j] = t[j];
  }
  return sum_lanes(sums);
}

/// n elements that share a scale, with a sum for every sum_block of them.
inline void part(const float* x, size_t n, size_t sum_block, float floor, int8_t* out, float* scale,
                 int32_t* sum) {
  const float amax = abs_max(x, n, floor), q = 127.0f / amax;
  if (!(q <= 0x1.fffffep127f)) {  // zeros, next to zero, or NaN
    *scale = amax * 0.0f;
    for (size_t i = 0; i < n; i++) out[i] = 0;
    for (size_t i = 0; i < n / sum_block; i++) sum[i] = 0;
    return;
  }
  *scale = amax / 127.0f;
  for (size_t i = 0; i < n; i += sum_block) *sum++ = codes(x + i, sum_block, q, out + i);
}

inline void pad(const QuantizeArgs& g) {
  for (size_t i = g.n; i % 32; i++) g.codes[i] = 0;
}

void row(const QuantizeArgs& g) {
  part(g.x, g.n, g.n, g.floor, g.codes, g.scale, g.sum);
  pad(g);
}

void block(const QuantizeArgs& g) {
  for (size_t i = 0; i < g.n; i += g.block)
    part(g.x + i, g.block, g.sum_block, g.floor, g.codes + i, g.scale + i / g.block, g.sum + i / g.sum_block);
  pad(g);
}
}  // namespace quantize

}  // namespace
