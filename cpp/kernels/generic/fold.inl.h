// How a qgemm kernel's exact integer sums become floats: the only float arithmetic there is in them, by
// base/fold.h, for whatever made the sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/contract/qgemm.h"

namespace {
namespace qgemm {

using sterna::Fold;
using sterna::kernels::QGemmArgs;
using sterna::kernels::QGemmVariant;

inline F load_scale(const uint8_t* p, bool f32) {
  return f32 ? F::load(reinterpret_cast<const float*>(p)) : F::load_f16(reinterpret_cast<const uint16_t*>(p));
}

/// The block fold with a scale per half of a chunk.
constexpr bool has_half_scales(QGemmVariant w) { return w.fold == Fold::kBlock && w.sub == 16; }

/// The scale and the minimum of a block; the minimum is zero where there is none.
struct Scales {
  F d, m;
};
template <QGemmVariant w>
inline Scales load_scales(const uint8_t* meta, size_t scale_bytes) {
  Scales s{load_scale(meta, scale_bytes == 64), F::zero()};
  if constexpr (w.has_min) s.m = load_scale(meta + scale_bytes, scale_bytes == 64);
  return s;
}

/// The row fold of a row's sum.
inline F fold_row(I sum, F scale, float a_scale) { return to_float(sum) * (scale * F::set1(a_scale)); }

/// What the block and super folds add to y for the sum that shares a scale, without minima.
inline F fold_sum(F y, I sum, F d, F a_scale) { return fma(to_float(sum), d * a_scale, y); }

/// The same with minima, if there are: what they are multiplied with is the sum of the block's activations
/// or, the super fold, exact as well and per row, `mins`.
template <QGemmVariant w>
inline F fold_block(F y, I sum, I mins, int32_t a_sum, const Scales& scale, float a_scale) {
  const F s = F::set1(a_scale);
  y = fold_sum(y, sum, scale.d, s);
  if constexpr (w.has_min && w.fold == Fold::kBlock) y = fma(F::set1(float(a_sum)), scale.m * s, y);
  if constexpr (w.has_min && w.fold == Fold::kSuper) y = fma(to_float(I::zero() - mins), scale.m * s, y);
  return y;
}

inline void store_rows(float* out, size_t rows, F v) {
  if (rows >= 16) return v.store(out);
  float t[16];
  v.store(t);
  for (size_t i = 0; i < rows; i++) out[i] = t[i];
}

}  // namespace qgemm
}  // namespace
