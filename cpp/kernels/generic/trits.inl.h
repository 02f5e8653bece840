// The t5 variants: ternary codes, five in a byte (contract/trits.h). As qgemm.inl.h, on lines that
// decode_trits() of the ISA's vec.h turns into a 2-bit line of 16 k and a line with a fifth digit.
#pragma once

#include "kernels/contract/trits.h"
#include "kernels/generic/qgemm.inl.h"

namespace {
namespace qgemm {

using sterna::kernels::trit_lines;

/// Adds `units` times 16 k of P panels, `stride` bytes apart, to acc[token][panel][plane]. With L = 4
/// accumulators an output's plane i is multiplied by 4^i, with 1 it is not.
template <int P, int N, int L>
inline void add_trits(const QGemmArgs& g, const uint8_t* codes, size_t stride, size_t units,
                      const int8_t* act, I (*acc)[P][L]) {
  const auto line = [&](const int8_t* a, const int8_t* fifth) {
    Trits t[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      if constexpr (N <= 4) __builtin_prefetch(codes + p * stride + kPrefetchBytes);
      t[p] = decode_trits(B::load(codes + p * stride));
    }
    if constexpr (L == 4) {
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) {
        const B q[4] = {move_bits<0, 2, 0>(t[p].four), move_bits<2, 2, 2>(t[p].four),
                        move_bits<4, 2, 4>(t[p].four), move_bits<6, 2, 6>(t[p].four)};
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) {
#pragma GCC unroll 4
          for (int i = 0; i < 4; i++) acc[n][p][i] = dot(acc[n][p][i], q[i], a + n * g.act_stride + 4 * i);
          if (fifth) acc[n][p][3] = dot(acc[n][p][3], t[p].fifth, fifth + n * g.act_stride);
        }
      }
    } else {
      B q[P][4], f[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) {
        q[p][0] = move_bits<0, 2, 0>(t[p].four), q[p][1] = move_bits<2, 2, 0>(t[p].four);
        q[p][2] = move_bits<4, 2, 0>(t[p].four), q[p][3] = move_bits<6, 2, 0>(t[p].four);
        f[p] = move_bits<6, 2, 0>(t[p].fifth);
      }
#pragma GCC unroll 16
      for (int n = 0; n < N; n++) {
        dot4<2, P>(&acc[n][0][0], q, a + n * g.act_stride);
        if (fifth)
          for (int p = 0; p < P; p++) acc[n][p][0] = dot(acc[n][p][0], f[p], fifth + n * g.act_stride);
      }
    }
    codes += 64;
  };
  for (; units >= 5; units -= 5, act += 80)
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) line(act + 16 * l, act + 64 + 4 * l);
  for (; units > 0; units--, act += 16) line(act, nullptr);
}

/// Panels panel, panel + step, ... (P of them) times N tokens. Not inlined: GCC 12 allocates registers badly
/// when several are.
template <Fold fold, int P, int N>
__attribute__((noinline)) void tile_of_trits(const QGemmArgs& g, size_t panel, size_t step, size_t token) {
  constexpr int L = kPlanes && P * N <= 4 ? 4 : 1;
  constexpr QGemmVariant kTwoBits{2, fold};
  const uint8_t* base = g.panels + panel * g.panel_bytes;
  const size_t to_next = step * g.panel_bytes;
  const int8_t* act = g.act + token * g.act_stride;
  const float* a_scale = g.a_scale + token * g.a_scale_stride;
  const int32_t* a_sum = g.a_sum + token * g.a_sum_stride;
  const bool row = fold == Fold::kRow;
  const size_t units = 2 * (row ? g.n_chunks : g.block_chunks),
               n_blocks = row ? 1 : g.n_chunks / g.block_chunks;
  const size_t scale_bytes = row || g.f32_scales ? 64 : 32, code_bytes = 64 * trit_lines(units);
  F y[N][P];
  for (int n = 0; n < N; n++)
    for (int p = 0; p < P; p++) y[n][p] = F::zero();
  for (size_t b = 0; b < n_blocks; b++) {
    I acc[N][P][L];
#pragma GCC unroll 16
    for (int n = 0; n < N; n++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++)
        for (int i = 0; i < L; i++) acc[n][p][i] = I::zero();
    add_trits<P, N, L>(g, base + codes_of_block(g, b, code_bytes), to_next, units, act, acc);
    act += 16 * units;
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      const F d = load_scale(base + p * to_next + meta_of_block(g, b, scale_bytes), scale_bytes == 64);
#pragma GCC unroll 16
      for (int n = 0; n < N; n++) {
        const I sum = sum_of_planes<kTwoBits, L>(acc[n][p]) - I::set1(g.zero * a_sum[n * g.a_sum_stride + b]);
        const float s = a_scale[n * g.a_scale_stride + b];
        y[n][p] = row ? fold_row(sum, d, s) : fold_sum(y[n][p], sum, d, F::set1(s));
      }
    }
  }
  for (int p = 0; p < P; p++)
    for (int n = 0; n < N; n++)
      store_rows(g.out + (token + n) * g.out_stride + 16 * (panel + p * step),
                 g.n_rows - 16 * (panel + p * step), y[n][p]);
}

/// Tokens `token` and up with P panels, N at a time and then the rest together.
template <Fold fold, int P, int N>
inline void tiles_of_trits(const QGemmArgs& g, size_t panel, size_t token) {
  for (; token + N <= g.n_tokens; token += N) tile_of_trits<fold, P, N>(g, panel, 1, token);
  if constexpr (N > 1)
    if (token < g.n_tokens) tiles_of_trits<fold, P, N - 1>(g, panel, token);
}

/// `units` times 16 k of a panel as 2-bit lines.
inline void expand_trits(const uint8_t* codes, size_t units, uint8_t* lines) {
  for (; units >= 5; units -= 5, codes += 4 * 64, lines += 5 * 64) {
    Trits t[4];
#pragma GCC unroll 4
    for (int l = 0; l < 4; l++) {
      t[l] = decode_trits(B::load(codes + 64 * l));
      t[l].four.store(lines + 64 * l);
    }
    (move_bits<6, 2, 0>(t[0].fifth) | move_bits<6, 2, 2>(t[1].fifth) | move_bits<6, 2, 4>(t[2].fifth) |
     t[3].fifth)
        .store(lines + 4 * 64);
  }
  for (; units > 0; units--, codes += 64, lines += 64) decode_trits(B::load(codes)).four.store(lines);
}

/// `g` with its panels in 2 bits.
template <Fold fold>
inline QGemmArgs two_bits(const QGemmArgs& g) {
  QGemmArgs two = g;
  const size_t span = fold == Fold::kRow ? g.n_chunks : g.block_chunks;  // chunks of a block
  two.codes_offset = g.group_blocks * (fold == Fold::kRow || g.f32_scales ? 64 : 32);
  two.group_bytes = two.codes_offset + g.group_blocks * 128 * span;
  two.panel_bytes = codes_of_block(two, g.n_chunks / span - 1, 128 * span) + 128 * span;
  return two;
}

/// Many tokens: panels become 2-bit panels in the nearest cache, once for all tokens.
template <Fold fold>
void run_expanded(const QGemmArgs& g, QGemmArgs two, uint8_t* scratch, size_t n_panels) {
  const size_t n_blocks = fold == Fold::kRow ? 1 : g.n_chunks / g.block_chunks,
               units = 2 * g.n_chunks / n_blocks, code_bytes = 64 * trit_lines(units),
               scale_bytes = fold == Fold::kRow || g.f32_scales ? 64 : 32;
  two.panels = scratch;
  for (size_t row = 0; row < g.n_rows; row += 16 * n_panels) {
    two.out = g.out + row;
    two.n_rows = g.n_rows - row < 16 * n_panels ? g.n_rows - row : 16 * n_panels;
    for (size_t p = 0; 16 * p < two.n_rows; p++) {
      const uint8_t* panel = g.panels + (row / 16 + p) * g.panel_bytes;
      uint8_t* to = scratch + p * two.panel_bytes;
      for (size_t b = 0; b < n_blocks; b++) {
        expand_trits(panel + codes_of_block(g, b, code_bytes), units,
                     to + codes_of_block(two, b, 64 * units));
        __builtin_memcpy(to + meta_of_block(two, b, scale_bytes), panel + meta_of_block(g, b, scale_bytes),
                         scale_bytes);
      }
    }
    run<QGemmVariant{2, fold}>(two);
  }
}

template <QGemmVariant w>
  requires(w.trits)
void run(const QGemmArgs& g) {
  constexpr Fold fold = w.fold;
  const size_t n_panels = (g.n_rows + 15) / 16;
  if (g.n_tokens >= 16) {
    alignas(64) uint8_t scratch[64 << 10];
    const QGemmArgs two = two_bits<fold>(g);
    if (two.panel_bytes <= sizeof scratch)
      return run_expanded<fold>(g, two, scratch, two.panel_bytes <= sizeof scratch / 2 ? 2 : 1);
  }
  size_t p = 0;
  if (g.n_tokens <= 2) {  // two memory streams
    const auto far = [&]<int N>() {
      for (; p < n_panels / 2; p++) tile_of_trits<fold, 2, N>(g, p, n_panels / 2, 0);
      for (p = n_panels / 2 * 2; p < n_panels; p++) tile_of_trits<fold, 1, N>(g, p, 1, 0);
    };
    return g.n_tokens == 1 ? far.template operator()<1>() : far.template operator()<2>();
  }
  if (g.n_tokens >= 8)
    for (; p + 2 <= n_panels; p += 2) tiles_of_trits<fold, 2, kTile / 2>(g, p, 0);
  for (; p < n_panels; p++) tiles_of_trits<fold, 1, kTile / 2>(g, p, 0);
}

}  // namespace qgemm
}  // namespace
