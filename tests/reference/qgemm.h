// The oracle of low-bit matmul, over decoded codes: never over packed bytes.
//
// An element has the integer value mul * c - zero, c = codebook[code] if there is a codebook, else code; mul
// is 2 for 1-bit codes (their value is 2b - 1), else 1. With dot = sum of c * activation and asum = sum of
// activations, both exact:
//   row:   y = float(mul*dot - zero*asum) * (scale * a_scale), the product of the scales rounded first.
//   block: acc = +0; per block in increasing order: acc = fma(float(mul*dot - zero*asum), d*a_scale, acc);
//          with minima then acc = fma(float(asum), m*a_scale, acc).
//          With sub-blocks each has its own d and folds by itself, in increasing order; a_scale is the
//          block's.
//   super: the same with integer sub-scales, sums over the sub-blocks of the block:
//          acc = fma(float(sum of sc*(mul*dot - zero*asum)), d*a_scale, acc);
//          with minima then acc = fma(float(-sum of mn*asum), m*a_scale, acc).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/fold.h"

namespace sterna::reference {

struct QMatrix {
  Fold fold = Fold::kRow;
  int bits = 2;
  int zero = 0;
  bool has_min = false;
  bool trits = false;             ///< Codes are 0, 1 and 2, and packed five in a byte.
  std::vector<uint8_t> codebook;  ///< 16 bytes, or empty.
  int index = 0;                  ///< Bits of the numbers of patterns that each 8 codes are, but signs; or 0.
  std::vector<uint16_t> patterns;  ///< Element j's code in bits 2j and 2j + 1.
  std::vector<uint16_t> numbers;   ///< [rows][depth / 8]: which pattern.
  size_t rows = 0, depth = 0;
  size_t block = 0;            ///< Elements; block and super folds. depth % block == 0.
  size_t sub = 0;              ///< Elements; super fold and, without minima, block fold. block % sub == 0.
  std::vector<uint8_t> codes;  ///< [rows][depth]
  std::vector<float> d, m;     ///< [rows] (row fold, d only) or [rows][n_scales()]
  std::vector<int> sc, mn;     ///< [rows][depth / sub]

  int mul() const { return bits == 1 ? 2 : 1; }
  size_t n_blocks() const { return fold == Fold::kRow ? 1 : depth / block; }
  size_t n_subs() const { return fold == Fold::kSuper ? depth / sub : 0; }
  size_t n_scales() const { return fold == Fold::kBlock && sub ? depth / sub : n_blocks(); }
  /// Elements that share one activation sum.
  size_t sum_span() const { return fold == Fold::kRow ? depth : sub ? sub : block; }
};

struct QActivations {
  size_t tokens = 0;
  std::vector<int8_t> codes;  ///< [tokens][depth]
  std::vector<float> scale;   ///< [tokens][w.n_blocks()]
};

/// sum of mul*c*a - zero*a over elements [begin, end) of a row and a token, in 64 bits: it cannot overflow.
inline int64_t integer_dot(const QMatrix& w, const uint8_t* codes, const int8_t* a, size_t begin,
                           size_t end) {
  int64_t dot = 0, asum = 0;
  for (size_t k = begin; k < end; ++k) {
    dot += int(w.codebook.empty() ? codes[k] : w.codebook[codes[k]]) * int(a[k]);
    asum += a[k];
  }
  return w.mul() * dot - w.zero * asum;
}

inline int64_t activation_sum(const int8_t* a, size_t begin, size_t end) {
  int64_t sum = 0;
  for (size_t k = begin; k < end; ++k) sum += a[k];
  return sum;
}

/// float of an integer that fits int32, by one rounding.
inline float to_float(int64_t v) { return float(int32_t(v)); }

/// One output element.
inline float qgemm(const QMatrix& w, const QActivations& x, size_t r, size_t t) {
  const uint8_t* codes = &w.codes[r * w.depth];
  const int8_t* a = &x.codes[t * w.depth];
  if (w.fold == Fold::kRow) return to_float(integer_dot(w, codes, a, 0, w.depth)) * (w.d[r] * x.scale[t]);
  float acc = 0;
  for (size_t b = 0; b < w.n_blocks(); ++b) {
    const size_t begin = b * w.block, end = begin + w.block;
    const float a_scale = x.scale[t * w.n_blocks() + b];
    if (w.fold == Fold::kBlock && w.sub) {
      for (size_t s = begin / w.sub; s < end / w.sub; ++s)
        acc = std::fma(to_float(integer_dot(w, codes, a, s * w.sub, (s + 1) * w.sub)),
                       w.d[r * w.n_scales() + s] * a_scale, acc);
      continue;
    }
    int64_t isum = 0, min_sum = 0;
    if (w.fold == Fold::kBlock) {
      isum = integer_dot(w, codes, a, begin, end);
      if (w.has_min) min_sum = activation_sum(a, begin, end);
    } else {
      for (size_t s = begin / w.sub; s < end / w.sub; ++s) {
        isum += w.sc[r * w.n_subs() + s] * integer_dot(w, codes, a, s * w.sub, (s + 1) * w.sub);
        if (w.has_min) min_sum -= w.mn[r * w.n_subs() + s] * activation_sum(a, s * w.sub, (s + 1) * w.sub);
      }
    }
    acc = std::fma(to_float(isum), w.d[r * w.n_blocks() + b] * a_scale, acc);
    if (w.has_min) acc = std::fma(to_float(min_sum), w.m[r * w.n_blocks() + b] * a_scale, acc);
  }
  return acc;
}

/// out[t * rows + r].
inline std::vector<float> qgemm(const QMatrix& w, const QActivations& x) {
  std::vector<float> out(x.tokens * w.rows);
  for (size_t t = 0; t < x.tokens; ++t) {
    for (size_t r = 0; r < w.rows; ++r) out[t * w.rows + r] = qgemm(w, x, r, t);
  }
  return out;
}

}  // namespace sterna::reference
