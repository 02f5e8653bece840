// Low-bit matmul for several tokens: a panel's codes are unpacked once, up to 256 k at a time, into bytes
// that stay in the first-level cache while all tokens pass by in tiles. The tile's inner loop, dot_quads(),
// is the ISA's (its unpacked.cpp): there partial sums may stay in narrow lanes for as many k as cannot
// overflow them. Few tokens, which do not pay for the unpacking, and blocks longer than a span go to the
// generic code.
#pragma once

#include "kernels/contract/grid.h"
#include "kernels/generic/qgemm.inl.h"
#ifndef STERNA_QUADS
#include "kernels/generic/quads.inl.h"
#endif

namespace {
namespace qgemm {

constexpr size_t kSpanChunks = 8;    // 4 KB of unpacked codes
constexpr size_t kPassTokens = 128;  // 8 KB of sums; a call with more tokens makes several passes
constexpr size_t kMaxSubs = 2 * kSpanChunks;
template <QGemmVariant w>
constexpr size_t kSubBytes = w.index                    ? 8
                             : w.has_min && w.sub == 32 ? 32
                                                        : 16;
template <QGemmVariant w>
constexpr size_t chunk_bytes() {
  if constexpr (w.index) return sterna::kernels::grid_strip_bytes(w) / 2;
  return 64 * w.bits;
}

/// Calls f.operator()<T>(t) for tiles of T tokens from t on that together cover n.
template <int T, class Fn>
inline void for_tiles(size_t n, Fn f, size_t t = 0) {
  for (; t + T <= n; t += T) f.template operator()<T>(t);
  if constexpr (T > 1)
    if (t < n) for_tiles<T - 1>(n, f, t);
}

/// The codes of n_chunks as bytes, 64 per quad. The next span is read while the tokens pass by.
template <QGemmVariant w>
inline void unpack_chunks(const uint8_t* codes, size_t n_chunks, B table, uint8_t* bytes) {
  for (size_t c = 0; c < n_chunks; c++, codes += 64 * w.bits) {
    for (int i = 0; i < w.bits; i++) __builtin_prefetch(codes + (kSpanChunks * w.bits + size_t(i)) * 64);
    for (int h = 0; h < 2; h++, bytes += 4 * 64) {
      B q[4];
      unpack_half<w>(codes, h, table, q);
      store_quads<max_code(w)>(bytes, q);
    }
  }
}

/// The scales of a block's sub-blocks as dot_quads() and dot2() take them.
struct SubScales {
  Pair twice[kMaxSubs];     // sc, sc
  Pair sums[kMaxSubs / 2];  // what two sub-blocks' sums of activations are multiplied by: mn, else sc
};
template <QGemmVariant w>
inline void load_subs(const uint8_t* p, size_t n_subs, SubScales& to) {
  I sc, factor[2];
  for (size_t i = 0; i < n_subs; i++, p += kSubBytes<w>) {
    if constexpr (w.index) {  // contract/grid.h
      const I both = I::load_u8(p - (i % 2) * kSubBytes<w>);
      const I n = i % 2 ? shift_right<4>(both) : both & I::set1(15);
      sc = factor[i % 2] = n + n + I::set1(1);
    } else if constexpr (w.has_min && w.sub == 16) {
      const I both = I::load_u8(p);
      sc = both & I::set1(15), factor[i % 2] = shift_right<4>(both);
    } else {
      sc = I::load_i8(reinterpret_cast<const int8_t*>(p));
      factor[i % 2] = w.has_min ? I::load_u8(p + 16) : sc;
    }
    to.twice[i] = {sc, sc};
    if (i % 2 == 1) to.sums[i / 2] = {factor[0], factor[1]};
  }
}

/// A tile of a block whose halves of chunks have a scale each.
template <QGemmVariant w, int T>
STERNA_INLINE void unpacked_halves(const QGemmArgs& g, const uint8_t* bytes, const uint8_t* meta,
                                   const Tokens<T>& tokens, const int32_t* sums, const float* a_scale,
                                   int32_t zero, const Pair& one, F y[T]) {
  for (size_t s = 0; s < 2 * g.block_chunks; s++) {
    I acc[T];
    for (int i = 0; i < T; i++) acc[i] = I::set1(-zero * sums[size_t(i) * g.a_sum_stride + s]);
    dot_quads<max_code(w), T, 4>(acc, bytes + s * 256, 4, tokens, s * 16, one);
    const F d = load_scale(meta + s * (g.f32_scales ? 64 : 32), g.f32_scales);
#pragma GCC unroll 8
    for (int i = 0; i < T; i++)
      y[i] = fold_sum(y[i], acc[i], d, F::set1(a_scale[size_t(i) * g.a_scale_stride]));
  }
}

/// `unpack(codes, n_chunks, bytes)` does what unpack_chunks() does.
template <QGemmVariant w, class Unpack>
inline void unpacked_pass(const QGemmArgs& g, size_t panel, size_t token, size_t n_tokens, Unpack unpack) {
  alignas(64) uint8_t bytes[kSpanChunks * 8 * 64];
  const uint8_t* base = g.panels + panel * g.panel_bytes;
  const int8_t* act = g.act + token * g.act_stride;
  const float* a_scale = g.a_scale + token * g.a_scale_stride;
  const int32_t* a_sum = g.a_sum + token * g.a_sum_stride;
  float* out = g.out + token * g.out_stride + 16 * panel;
  const size_t rows = g.n_rows - 16 * panel;
  const int32_t zero = g.zero - (max_code(w) == 255 ? kDotBias8 : 0);
  const Pair one(I::set1(1), I::set1(1));
  constexpr int mul = w.bits == 1 ? 2 : 1;

  if constexpr (w.fold == Fold::kRow) {
    I sum[kPassTokens];
    for (size_t t = 0; t < n_tokens; t++) sum[t] = I::zero();
    for (size_t c = 0; c < g.n_chunks; c += kSpanChunks) {
      const size_t n = g.n_chunks - c < kSpanChunks ? g.n_chunks - c : kSpanChunks;
      unpack(base + g.codes_offset + c * chunk_bytes<w>(), n, bytes);
      for_tiles<kTokenTile>(n_tokens, [&]<int T>(size_t t) {
        const Tokens<T> tokens{act + t * g.act_stride + 32 * c, g.act_stride};
        dot_quads<max_code(w), T, 8>(sum + t, bytes, 8 * n, tokens, 0, one);
      });
    }
    const F s = F::load(reinterpret_cast<const float*>(base));
    for (size_t t = 0; t < n_tokens; t++) {
      const I dot = scaled<mul>(sum[t]) - I::set1(zero * a_sum[t * g.a_sum_stride]);
      store_rows(out + t * g.out_stride, rows, fold_row(dot, s, a_scale[t * g.a_scale_stride]));
    }
  } else {
    const size_t scale_bytes = g.f32_scales ? 64 : 32, depth = 32 * g.block_chunks;
    const size_t code_bytes = g.block_chunks * chunk_bytes<w>();
    size_t n_subs = 1, meta_bytes = scale_bytes * (w.has_min ? 2 : 1);
    if constexpr (w.fold == Fold::kSuper) n_subs = depth / w.sub, meta_bytes += n_subs * kSubBytes<w>;
    if constexpr (has_half_scales(w)) n_subs = depth / w.sub, meta_bytes *= n_subs;
    const size_t n_blocks = g.n_chunks / g.block_chunks, per_span = kSpanChunks / g.block_chunks;
    F y[kPassTokens];
    SubScales sub;
    for (size_t t = 0; t < n_tokens; t++) y[t] = F::zero();
    for (size_t b = 0; b < n_blocks; b++) {
      const size_t in_span = b % per_span;
      if (in_span == 0) {
        const size_t n = n_blocks - b < per_span ? n_blocks - b : per_span;
        for (size_t i = 0; i < n; i++)
          unpack(base + codes_of_block(g, b + i, code_bytes), g.block_chunks, bytes + i * depth * 16);
      }
      const uint8_t* const meta = base + meta_of_block(g, b, meta_bytes);
      if constexpr (has_half_scales(w)) {
        for_tiles<kTokenTile>(n_tokens, [&]<int T>(size_t t) {
          const Tokens<T> tokens{act + t * g.act_stride + b * depth, g.act_stride};
          unpacked_halves<w, T>(g, bytes + in_span * depth * 16, meta, tokens,
                                a_sum + t * g.a_sum_stride + b * n_subs, a_scale + t * g.a_scale_stride + b,
                                zero, one, y + t);
        });
        continue;
      }
      const Scales scale = load_scales<w>(meta, scale_bytes);
      if constexpr (w.fold == Fold::kSuper)
        load_subs<w>(meta + scale_bytes * (w.has_min ? 2 : 1), n_subs, sub);
      for_tiles<kTokenTile>(n_tokens, [&]<int T>(size_t t) {
        const uint8_t* from = bytes + in_span * depth * 16;
        const Tokens<T> tokens{act + t * g.act_stride + b * depth, g.act_stride};
        const int32_t* sums = a_sum + t * g.a_sum_stride + b * n_subs;
        I acc[T], rest[T];  // rest, of the super fold: sum of mn * asum or, without minima, of sc * asum
        for (int i = 0; i < T; i++) acc[i] = rest[i] = I::zero();
        if constexpr (w.fold == Fold::kBlock) {
          if (depth == 32)  // of most formats: no loop, sums stay in registers
            dot_quads<max_code(w), T, 8>(acc, from, 8, tokens, 0, one);
          else
            dot_quads<max_code(w), T, 8>(acc, from, depth / 4, tokens, 0, one);
#pragma GCC unroll 8
          for (int i = 0; i < T; i++) acc[i] = scaled<mul>(acc[i]) - I::set1(zero * sums[i * g.a_sum_stride]);
        } else {
          for (size_t s = 0; s < n_subs; s++)
            dot_quads<max_code(w), T, w.sub / 4>(acc, from + s * w.sub * 16, w.sub / 4, tokens, s * w.sub,
                                                 sub.twice[s]);
          for (size_t s = 0; s < n_subs; s += 2)  // sums of a sub-block's activations fit 16 bits
#pragma GCC unroll 8
            for (int i = 0; i < T; i++)
              rest[i] = rest[i] + dot2(sub.sums[s / 2], sums + i * g.a_sum_stride + s);
          if constexpr (!w.has_min)
            for (int i = 0; i < T; i++) acc[i] = acc[i] - I::set1(zero) * rest[i];
        }
#pragma GCC unroll 8
        for (int i = 0; i < T; i++)
          y[t + i] = fold_block<w>(y[t + i], acc[i], rest[i], sums[i * g.a_sum_stride], scale,
                                   a_scale[(t + i) * g.a_scale_stride + b]);
      });
    }
    for (size_t t = 0; t < n_tokens; t++) store_rows(out + t * g.out_stride, rows, y[t]);
  }
}

/// All tokens, in passes.
template <QGemmVariant w, class Unpack>
inline void unpacked_passes(const QGemmArgs& g, Unpack unpack) {
  for (size_t t = 0; t < g.n_tokens; t += kPassTokens)
    for (size_t p = 0; p < (g.n_rows + 15) / 16; p++)
      unpacked_pass<w>(g, p, t, g.n_tokens - t < kPassTokens ? g.n_tokens - t : kPassTokens, unpack);
}

template <QGemmVariant w>
void unpacked(const QGemmArgs& g) {
  constexpr size_t min_tokens = w.fold == Fold::kRow ? 5 : 6;  // measured with avx2 on Zen 4
  if (g.n_tokens < min_tokens || g.block_chunks > kSpanChunks || (w.sub == 32 && g.block_chunks % 2 == 1))
    return run<w>(g);
  B table = B::zero();
  if constexpr (w.codebook) table = broadcast16(g.codebook);
  unpacked_passes<w>(g, [&](const uint8_t* codes, size_t n_chunks, uint8_t* bytes) {
    unpack_chunks<w>(codes, n_chunks, table, bytes);
  });
}

}  // namespace qgemm
}  // namespace
