// Low-bit matmul by table lookup: one lookup adds what four code bits of a row contribute, so that 1-bit
// codes cost a quarter of the operations that products of single codes do. The tables (contract/tables.h)
// depend on the activations only and are made once for all matrices that read them. What an instruction set
// looks up with, and how it adds bytes without losing carries, is the ISA's (its lookup.cpp): `Sums`,
// table_index(), look_up(), load_groups(), and `Streams`, how it reads memory with one token.
//
// Up to four tokens: weights stream from memory once, far-apart panels side by side. One token's tables have
// to stay in the nearest cache then, so weights are prefetched past it, if at all. More: for a span of k, a
// tile of tokens' tables stay in the nearest cache while all panels pass by.
#pragma once

#include "kernels/contract/tables.h"
#include "kernels/generic/qgemm.inl.h"
#ifndef STERNA_NIBBLES
#include "kernels/generic/nibbles.inl.h"
#endif

namespace {
namespace qgemm {

using sterna::kernels::Tables;
using sterna::kernels::tables_at;

constexpr int kLookupTokens = 4;          // in a tile
constexpr size_t kLookupPanelBlock = 32;  // whose sums wait while spans pass by: 8 KB

/// The tables of T tokens.
template <int T>
struct TablesOf {
  Tables of[T];
  TablesOf(const QGemmArgs& g, size_t token, int bits) {
    for (int t = 0; t < T; t++)  // never written through
      of[t] =
          tables_at(const_cast<uint8_t*>(g.tables) + (token + size_t(t)) * g.table_bytes, g.n_chunks, bits);
  }
};

/// Adds nibbles h of a line of each of P panels; v is the vector of the tables that they look up. Forced
/// inline, as the next: GCC 12 else calls it, with all sums in memory.
template <int h, int P, int T>
inline __attribute__((always_inline)) void look_up_nibbles(Sums sum[P][T], const B line[P],
                                                           const Tables tables[T], size_t v) {
  B index[P];
#pragma GCC unroll 4
  for (int p = 0; p < P; p++) index[p] = table_index<h>(line[p]);
#pragma GCC unroll 4
  for (int t = 0; t < T; t++) {
    const B low = B::load(tables[t].low + 64 * v);
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) sum[p][t].add(look_up(low, index[p]));
    if (tables[t].wide[v]) [[unlikely]] {
      const B high = B::load(tables[t].high + 64 * v);
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) sum[p][t].add_high(look_up(high, index[p]));
    }
  }
}

enum class Prefetch { kNo, kPastCache, kYes };

/// Adds lines [first, first + n) of a row, at `codes` and of P - 1 panels `stride` bytes apart, to sum.
/// Prefetches are `ahead` bytes before the codes.
template <int P, int T, Prefetch prefetch>
inline __attribute__((always_inline)) void look_up_lines(Sums sum[P][T], const uint8_t* codes, size_t stride,
                                                         const Tables tables[T], size_t first, size_t n,
                                                         size_t ahead) {
  for (size_t v = 2 * first; v < 2 * (first + n); v += 2, codes += 64) {
    B line[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      if constexpr (prefetch == Prefetch::kPastCache) __builtin_prefetch(codes + p * stride + ahead, 0, 0);
      if constexpr (prefetch == Prefetch::kYes) __builtin_prefetch(codes + p * stride + ahead);
      line[p] = load_groups(codes + p * stride);
    }
    look_up_nibbles<0, P, T>(sum, line, tables, v);
    look_up_nibbles<1, P, T>(sum, line, tables, v + 1);
  }
}

/// What a matmul of these weights is made of: blocks (the row fold: one) of lines.
template <int bits, Fold fold>
struct Blocks {
  const QGemmArgs& g;
  static constexpr int kMul = bits == 1 ? 2 : 1;  // codes of 1 bit mean -1 and 1
  const size_t chunks, lines, count, scale_bytes;
  explicit Blocks(const QGemmArgs& args)
      : g(args),
        chunks(fold == Fold::kRow ? g.n_chunks : g.block_chunks),
        lines(chunks * bits),
        count(g.n_chunks / chunks),
        scale_bytes(fold == Fold::kRow || g.f32_scales ? 64 : 32) {}

  /// What the lookups of block b leave out of a token's integer sum: their tables' least sums and the zero.
  int32_t rest(const Tables& tables, size_t token, size_t b) const {
    int32_t least = 0;
    for (size_t c = b * chunks; c < (b + 1) * chunks; c++) least += tables.least[c];
    return kMul * least - g.zero * g.a_sum[token * g.a_sum_stride + b];
  }
  F scale(const uint8_t* p) const { return load_scale(p, scale_bytes == 64); }
  /// The block's term, added to y, by the arithmetic of base/fold.h.
  F fold_in(F y, I sum, int32_t rest, F scale, size_t token, size_t b) const {
    const I whole = scaled<kMul>(sum) + I::set1(rest);
    const float a_scale = g.a_scale[token * g.a_scale_stride + b];
    return fold == Fold::kRow ? fold_row(whole, scale, a_scale) : fold_sum(y, whole, scale, F::set1(a_scale));
  }
  /// From a panel's start to a block's codes and scales.
  size_t codes_at(size_t b) const { return codes_of_block(g, b, 64 * lines); }
  size_t scales_at(size_t b) const { return meta_of_block(g, b, scale_bytes); }
};

/// The sums of P panels, of lines [first, first + n) of a row, at `codes`.
template <int P, int T, Prefetch prefetch>
inline __attribute__((always_inline)) void sum_lines(const uint8_t* codes, size_t stride,
                                                     const TablesOf<T>& tables, size_t first, size_t n,
                                                     size_t ahead, I to[P][T]) {
  Sums sum[P][T];
#pragma GCC unroll 4
  for (int p = 0; p < P; p++)
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) sum[p][t] = Sums::zero();
  look_up_lines<P, T, prefetch>(sum, codes, stride, tables.of, first, n, ahead);
#pragma GCC unroll 4
  for (int p = 0; p < P; p++)
#pragma GCC unroll 4
    for (int t = 0; t < T; t++) to[p][t] = sum[p][t].total();
}

/// T tokens, all there are; P panels `step` apart, a block of each in turn.
template <int bits, Fold fold, int P, int T>
inline void stream(const QGemmArgs& g, size_t panel, size_t step) {
  const Blocks<bits, fold> blocks(g);
  const TablesOf<T> tables(g, 0, bits);
  const uint8_t* const base = g.panels + panel * g.panel_bytes;
  const size_t to_next = step * g.panel_bytes;
  F y[P][T];
  I whole[P][T];
  for (int p = 0; p < P; p++)
    for (int t = 0; t < T; t++) y[p][t] = F::zero(), whole[p][t] = I::zero();
  for (size_t b = 0; b < blocks.count; b++) {
    int32_t rest[T];
    for (int t = 0; t < T; t++) rest[t] = blocks.rest(tables.of[t], size_t(t), b);
    const uint8_t *const codes = base + blocks.codes_at(b), *const scales = base + blocks.scales_at(b);
    for (size_t l = 0; l < blocks.lines; l += kSpanLines) {
      const size_t n = blocks.lines - l < kSpanLines ? blocks.lines - l : kSpanLines;
      I part[P][T];
      constexpr Prefetch prefetch = T > 1                ? Prefetch::kYes
                                    : Streams::kPrefetch ? Prefetch::kPastCache
                                                         : Prefetch::kNo;
      sum_lines<P, T, prefetch>(codes + 64 * l, to_next, tables, b * blocks.lines + l, n, kPrefetchBytes,
                                part);
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) {
        const F scale = blocks.scale(scales + p * to_next);
#pragma GCC unroll 4
        for (int t = 0; t < T; t++) {
          if (l) part[p][t] = part[p][t] + whole[p][t];
          if (l + n < blocks.lines)
            whole[p][t] = part[p][t];
          else
            y[p][t] = blocks.fold_in(y[p][t], part[p][t], rest[t], scale, size_t(t), b);
        }
      }
    }
  }
  for (int p = 0; p < P; p++)
    for (int t = 0; t < T; t++)
      store_rows(g.out + t * g.out_stride + 16 * (panel + p * step), g.n_rows - 16 * (panel + p * step),
                 y[p][t]);
}

/// Tokens token .. token + T - 1 and the panels [first, first + n), at most kLookupPanelBlock of them.
template <int bits, Fold fold, int T>
inline void tile_by_lookup(const QGemmArgs& g, size_t first, size_t n, size_t token) {
  const Blocks<bits, fold> blocks(g);
  const TablesOf<T> tables(g, token, bits);
  const uint8_t* const base = g.panels + first * g.panel_bytes;
  I whole[kLookupPanelBlock][T];
  F y[kLookupPanelBlock][T];
  for (size_t p = 0; p < n; p++)
    for (int t = 0; t < T; t++) y[p][t] = F::zero(), whole[p][t] = I::zero();
  for (size_t b = 0; b < blocks.count; b++) {
    int32_t rest[T];
    for (int t = 0; t < T; t++) rest[t] = blocks.rest(tables.of[t], token + size_t(t), b);
    const uint8_t *const codes = base + blocks.codes_at(b), *const scales = base + blocks.scales_at(b);
    for (size_t l = 0; l < blocks.lines; l += kSpanLines) {
      const size_t lines = blocks.lines - l < kSpanLines ? blocks.lines - l : kSpanLines;
      size_t at = 0;
      const auto panels = [&]<int P>() {
        for (; at + P <= n; at += P) {
          const size_t panel = at * g.panel_bytes;
          I part[P][T];
          sum_lines<P, T, Prefetch::kYes>(codes + panel + 64 * l, g.panel_bytes, tables, b * blocks.lines + l,
                                          lines, 64 * lines, part);
#pragma GCC unroll 4
          for (size_t p = 0; p < P; p++) {
            const F scale = blocks.scale(scales + panel + p * g.panel_bytes);
#pragma GCC unroll 4
            for (size_t t = 0; t < T; t++) {
              if (l) part[p][t] = part[p][t] + whole[at + p][t];
              if (l + lines < blocks.lines)
                whole[at + p][t] = part[p][t];
              else
                y[at + p][t] = blocks.fold_in(y[at + p][t], part[p][t], rest[t], scale, token + t, b);
            }
          }
        }
      };
      if constexpr (kLookupPanels > 1) panels.template operator()<kLookupPanels>();
      panels.template operator()<1>();
    }
  }
  for (size_t p = 0; p < n; p++)
    for (int t = 0; t < T; t++)
      store_rows(g.out + (token + size_t(t)) * g.out_stride + 16 * (first + p), g.n_rows - 16 * (first + p),
                 y[p][t]);
}

template <int bits, Fold fold, int T>
inline void tiles_by_lookup(const QGemmArgs& g, size_t first, size_t n, size_t token) {
  for (; token + T <= g.n_tokens; token += T) tile_by_lookup<bits, fold, T>(g, first, n, token);
  if constexpr (T > 1)
    if (token < g.n_tokens) tiles_by_lookup<bits, fold, T - 1>(g, first, n, token);
}

template <int bits, Fold fold, int T>
inline void streams(const QGemmArgs& g) {
  const size_t n_panels = (g.n_rows + 15) / 16;
  constexpr size_t P = T == 1 ? Streams::kPanels : 2;
  const size_t step = n_panels / P;
  for (size_t p = 0; p < step; p++) stream<bits, fold, P, T>(g, p, step);
  for (size_t p = P * step; p < n_panels; p++) stream<bits, fold, 1, T>(g, p, 1);
}

template <QGemmVariant w>
void table(const QGemmArgs& g) {
  constexpr int bits = w.bits;
  constexpr Fold fold = w.fold;
  if (!g.tables || (g.n_tokens == 1 && g.n_chunks * bits > Streams::kMaxVectors / 2)) return run<w>(g);
  switch (g.n_tokens) {
    case 1:
      return streams<bits, fold, 1>(g);
    case 2:
      return streams<bits, fold, 2>(g);
    case 3:
      return streams<bits, fold, 3>(g);
    case 4:
      return streams<bits, fold, 4>(g);
  }
  const size_t n_panels = (g.n_rows + 15) / 16;
  for (size_t p = 0; p < n_panels; p += kLookupPanelBlock)
    tiles_by_lookup<bits, fold, kLookupTokens>(
        g, p, n_panels - p < kLookupPanelBlock ? n_panels - p : kLookupPanelBlock, 0);
}

}  // namespace qgemm
}  // namespace
