// Low-bit matmul written once for every instruction set; the vector types F (16 floats), I (16 int32) and B
// (64 bytes) and dot4() come from the ISA's vec.h. Rows are in lanes, so scales fold per lane in block order
// and no horizontal sum exists. A tile is P panels x N tokens: a line of codes is unpacked once for N tokens,
// an activation quad broadcast for P panels. For few tokens 2 or 4 far-apart panels run side by side: several
// memory streams use the bandwidth that one leaves unused.
// Planes: for few tokens unpacking costs as much as multiplying. Where dot() takes any unsigned byte
// (kPlanes), codes of 1 and 2 bits are then masked but not shifted, each bit position has its own
// accumulator, and the accumulators, exact multiples of 2^position, are shifted once at the end.
#pragma once

#include "kernels/generic/fold.inl.h"
#include "kernels/generic/unpack.inl.h"

namespace {
namespace qgemm {

constexpr int kPrefetchBytes = 2048;

/// How far ahead of its codes a tile prefetches, bytes; 0: not at all. Measured on Zen 4, where the
/// processor's own prefetches are up to twice as fast for lines in order: not those of 3, 5 and 6 bits, whose
/// chunks end with the high bits of all of them.
template <QGemmVariant w, int N>
constexpr int prefetch_bytes() {
  if (N > 4 || w.bits == 8) return 0;
  if (N == 1 && (w.fold == Fold::kBlock || (w.fold == Fold::kSuper && w.bits == 4))) return 0;
  return w.fold == Fold::kSuper ? 512 : kPrefetchBytes;
}

/// Largest unpacked code, for dot4's choice of intermediate width.
constexpr int max_code(QGemmVariant w) { return w.codebook ? w.codebook : (1 << w.bits) - 1; }

/// Where the scales (`bytes` a block) and the codes (`bytes` a block) of block b lie in a panel.
inline size_t meta_of_block(const QGemmArgs& g, size_t b, size_t bytes) {
  const size_t two = g.group_blocks - 1;  // no division: a block may be a few dozen instructions
  return (b >> two) * g.group_bytes + (b & two) * bytes;
}
inline size_t codes_of_block(const QGemmArgs& g, size_t b, size_t bytes) {
  return g.codes_offset + meta_of_block(g, b, bytes);
}

/// Accumulators of one output: 4 with planes, else 1.
template <QGemmVariant w, int P, int N>
constexpr int plane_count() {
  return kPlanes && w.bits <= 2 && w.fold != Fold::kSuper && P * N <= 4 ? 4 : 1;
}

template <QGemmVariant w, int L>
STERNA_INLINE I sum_of_planes(const I acc[L]) {
  if constexpr (L == 1) {
    return acc[0];
  } else {
    return (acc[0] + shift_right_signed<w.bits>(acc[1])) +
           (shift_right_signed<2 * w.bits>(acc[2]) + shift_right_signed<3 * w.bits>(acc[3]));
  }
}

template <QGemmVariant w>
STERNA_INLINE void unpack_half(const uint8_t* codes, int h, B table, B q[4]) {
  unpack<w.bits>(codes, h, q);
  if constexpr (w.codebook)
    for (int i = 0; i < 4; i++) q[i] = lookup16(table, q[i]);
}

/// Adds the products of half `h` of the chunk at `codes`, and of those of P - 1 panels `stride` bytes apart,
/// to acc[token][panel].
template <QGemmVariant w, int P, int N>
STERNA_INLINE void add_half(const QGemmArgs& g, const uint8_t* codes, size_t stride, const int8_t* act, int h,
                            B table, I (*acc)[P][plane_count<w, P, N>()]) {
  act += 16 * h;
  if constexpr (plane_count<w, P, N>() == 4) {
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      const B line = B::load(codes + p * stride + (w.bits == 2 ? 64 * h : 0));
      B q[4];
      if constexpr (w.bits == 2) {
        q[0] = move_bits<0, 2, 0>(line), q[1] = move_bits<2, 2, 2>(line), q[2] = move_bits<4, 2, 4>(line),
        q[3] = move_bits<6, 2, 6>(line);
      } else if (h == 0) {
        q[0] = move_bits<0, 1, 0>(line), q[1] = move_bits<1, 1, 1>(line), q[2] = move_bits<2, 1, 2>(line),
        q[3] = move_bits<3, 1, 3>(line);
      } else {
        q[0] = move_bits<4, 1, 0>(line), q[1] = move_bits<5, 1, 1>(line), q[2] = move_bits<6, 1, 2>(line),
        q[3] = move_bits<7, 1, 3>(line);
      }
#pragma GCC unroll 4
      for (int n = 0; n < N; n++)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) acc[n][p][i] = dot(acc[n][p][i], q[i], act + n * g.act_stride + 4 * i);
    }
  } else if constexpr (N == 1) {  // panel by panel: few registers hold codes
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      B q[1][4];
      unpack_half<w>(codes + p * stride, h, table, q[0]);
      dot4<max_code(w), 1>(&acc[0][p][0], q, act);
    }
  } else {  // codes of all panels in registers, each activation quad broadcast once
    B q[P][4];
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) unpack_half<w>(codes + p * stride, h, table, q[p]);
#pragma GCC unroll 16
    for (int n = 0; n < N; n++) dot4<max_code(w), P>(&acc[n][0][0], q, act + n * g.act_stride);
  }
}

/// A tile: panels panel, panel + step, ... (P of them) times N tokens, and how far their codes have been
/// read. Its methods, forced inline so that all of it stays in registers, accumulate exact integers.
template <QGemmVariant w, int P, int N>
struct Tile {
  static constexpr int L = plane_count<w, P, N>(), kAhead = prefetch_bytes<w, N>(),
                       kMul = w.bits == 1 ? 2 : 1;
  using Sums = I[N][P];

  const QGemmArgs& g;
  const uint8_t* base;
  const size_t to_next;
  const int8_t* act;
  const float* a_scale;
  const int32_t* a_sum;
  // dot4 of 8-bit codes may compute sum of (code - kDotBias8)*a; the rest of the zero point comes off here.
  const int32_t zero;
  B table;
  // Of the first panel. One pointer for each would be more than the registers there are; GCC then puts pairs
  // into vectors, and takes them apart through memory.
  const uint8_t* codes;

  STERNA_INLINE Tile(const QGemmArgs& args, size_t panel, size_t step, size_t token)
      : g(args),
        base(g.panels + panel * g.panel_bytes),
        to_next(step * g.panel_bytes),
        act(g.act + token * g.act_stride),
        a_scale(g.a_scale + token * g.a_scale_stride),
        a_sum(g.a_sum + token * g.a_sum_stride),
        zero(g.zero - (max_code(w) == 255 ? kDotBias8 : 0)),
        table(B::zero()),
        codes(base + g.codes_offset) {
    if constexpr (w.codebook) table = broadcast16(g.codebook);
  }

  STERNA_INLINE void prefetch(const uint8_t* from) const {
    if constexpr (kAhead > 0)
      for (int p = 0; p < P; p++)
        for (int i = 0; i < w.bits; i++) __builtin_prefetch(from + p * to_next + kAhead + 64 * i);
  }
  /// To the scales of the next group, from the end of the codes of one.
  STERNA_INLINE const uint8_t* next_group(size_t group_codes) {
    codes += g.group_bytes - group_codes;
    const uint8_t* meta = codes - g.codes_offset;
    if constexpr (kAhead > 0)  // what the codes' prefetches skip as the codes skip the scales
      for (int p = 0; p < P; p++)
        for (size_t i = 0; i < g.codes_offset; i += 64) __builtin_prefetch(meta + p * to_next + kAhead + i);
    return meta;
  }

  static STERNA_INLINE void clear(I (*acc)[P][L]) {
#pragma GCC unroll 16
    for (int n = 0; n < N; n++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++)
        for (int i = 0; i < L; i++) acc[n][p][i] = I::zero();
  }

  /// The sums of n_chunks, whose activations' sum is that of block b: a block or, the row fold, a row.
  STERNA_INLINE void sum_block(size_t n_chunks, size_t b, I (*sum)[P]) {
    I acc[N][P][L];
    clear(acc);
    const uint8_t* line = codes;
    const int8_t* x = act;
    for (size_t c = 0; c < n_chunks; c++) {
      add_half<w, P, N>(g, line, to_next, x, 0, table, acc);
      add_half<w, P, N>(g, line, to_next, x, 1, table, acc);
      prefetch(line);
      line += 64 * w.bits, x += 32;
    }
    codes = line, act = x;
#pragma GCC unroll 4
    for (int p = 0; p < P; p++)
#pragma GCC unroll 16
      for (int n = 0; n < N; n++)
        sum[n][p] =
            scaled<kMul>(sum_of_planes<w, L>(acc[n][p])) - I::set1(zero * a_sum[n * g.a_sum_stride + b]);
  }

  /// The sums of half `h` of a chunk, whose activations' sum is number `at`.
  STERNA_INLINE void sum_half(int h, size_t at, I (*sum)[P][L]) const {
    static_assert(L == 1 && kMul == 1);
#pragma GCC unroll 16
    for (int n = 0; n < N; n++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) sum[n][p][0] = I::set1(-zero * a_sum[n * g.a_sum_stride + at]);
    add_half<w, P, N>(g, codes, to_next, act, h, table, sum);
  }

  /// Adds sub-block `sub` of a block, of codes summed in acc, to sum and mins (sum of mn * asum, with minima
  /// only); its scales are at `meta`, its activations' sum is number `at`.
  STERNA_INLINE void scale_sub(const uint8_t* meta, size_t at, I (*acc)[P][L], I (*sum)[P], I (*mins)[P]) {
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      const uint8_t* m = meta + p * to_next;
      I sc, mn = I::zero();
      if constexpr (!w.has_min) {
        sc = I::load_i8(reinterpret_cast<const int8_t*>(m));
      } else if constexpr (w.sub == 32) {
        sc = I::load_i8(reinterpret_cast<const int8_t*>(m)), mn = I::load_u8(m + 16);
      } else {
        const I both = I::load_u8(m);
        sc = both & I::set1(15), mn = shift_right<4>(both);
      }
      const I correction = low16(sc * I::set1(-zero));
#pragma GCC unroll 16
      for (int n = 0; n < N; n++) {
        // |asum| <= 32*128 and |sc*zero| <= 128*128 fit the 16-bit product. Formats with minima have no zero.
        const int32_t asum = a_sum[n * g.a_sum_stride + at];
        sum[n][p] = sum[n][p] + sc * acc[n][p][0];
        if constexpr (w.has_min) {
          mins[n][p] = multiply_add16(mins[n][p], mn, asum);
        } else {
          sum[n][p] = multiply_add16(sum[n][p], correction, asum);
        }
      }
    }
  }

  /// The sums of super block b, whose sub-blocks' scales begin at `subs`.
  STERNA_INLINE void sum_super(const uint8_t* subs, size_t b, I (*sum)[P], I (*mins)[P]) {
    constexpr size_t halves = w.sub / 16;  // per sub-block
    constexpr size_t sub_bytes = w.has_min && w.sub == 32 ? 32 : 16;
    for (int p = 0; p < P; p++)
      for (int n = 0; n < N; n++) sum[n][p] = mins[n][p] = I::zero();
    const size_t n_subs = g.block_chunks * 2 / halves;
    for (size_t c = 0; c < g.block_chunks; c++) {
#pragma GCC unroll 2
      for (size_t s = 0; s < 2 / halves; s++) {
        I acc[N][P][L];
        clear(acc);
        for (size_t h = 0; h < halves; h++)
          add_half<w, P, N>(g, codes, to_next, act, int(s * halves + h), table, acc);
        const size_t sub = c * (2 / halves) + s;
        scale_sub(subs + sub * sub_bytes, b * n_subs + sub, acc, sum, mins);
      }
      prefetch(codes);
      codes += 64 * w.bits, act += 32;
    }
  }
};

/// A tile with the row fold.
template <QGemmVariant w, int P, int N>
STERNA_INLINE void fold_rows(Tile<w, P, N>& t, F (*y)[P]) {
  I sum[N][P];
  t.sum_block(t.g.n_chunks, 0, sum);
#pragma GCC unroll 4
  for (int p = 0; p < P; p++) {
    const F s = F::load(reinterpret_cast<const float*>(t.base + p * t.to_next));
#pragma GCC unroll 16
    for (int n = 0; n < N; n++) y[n][p] = fold_row(sum[n][p], s, t.a_scale[n * t.g.a_scale_stride]);
  }
}

/// A tile with the block fold and a scale per half chunk; a block's scales are a multiple of 64 bytes, and so
/// it is a group.
template <QGemmVariant w, int P, int N>
STERNA_INLINE void fold_halves(Tile<w, P, N>& t, F (*y)[P]) {
  static_assert(w.sub == 16 && !w.has_min);
  const QGemmArgs& g = t.g;
  const size_t scale_bytes = g.f32_scales ? 64 : 32, n_blocks = g.n_chunks / g.block_chunks;
  const uint8_t* meta = t.base;
  for (int p = 0; p < P; p++)
    for (int n = 0; n < N; n++) y[n][p] = F::zero();
  for (size_t b = 0, half = 0; b < n_blocks; b++) {
    if (b > 0) meta = t.next_group(g.block_chunks * 64 * w.bits);
    for (size_t c = 0; c < g.block_chunks; c++) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; h++, half++, meta += scale_bytes) {
        I sum[N][P][1];
        t.sum_half(h, half, sum);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) {
          const F d = load_scale(meta + p * t.to_next, scale_bytes == 64);
#pragma GCC unroll 16
          for (int n = 0; n < N; n++)
            y[n][p] = fold_sum(y[n][p], sum[n][p][0], d, F::set1(t.a_scale[n * g.a_scale_stride + b]));
        }
      }
      t.prefetch(t.codes);
      t.codes += 64 * w.bits, t.act += 32;
    }
  }
}

/// A tile with the block fold, a scale per block, or the super fold.
template <QGemmVariant w, int P, int N>
STERNA_INLINE void fold_blocks(Tile<w, P, N>& t, F (*y)[P]) {
  const QGemmArgs& g = t.g;
  const size_t scale_bytes = g.f32_scales ? 64 : 32, head = scale_bytes * (w.has_min ? 2 : 1);
  size_t meta_bytes = head;  // per block
  if constexpr (w.fold == Fold::kSuper)
    meta_bytes += g.block_chunks * (32 / w.sub) * (w.has_min && w.sub == 32 ? 32 : 16);
  const uint8_t* meta = t.base;
  const size_t group_codes = g.group_blocks * g.block_chunks * 64 * w.bits;
  for (int p = 0; p < P; p++)
    for (int n = 0; n < N; n++) y[n][p] = F::zero();
  const size_t n_blocks = g.n_chunks / g.block_chunks;
  for (size_t b = 0, left = g.group_blocks; b < n_blocks; b++, left--) {
    if (left == 0) left = g.group_blocks, meta = t.next_group(group_codes);
    I sum[N][P], mins[N][P];
    if constexpr (w.fold == Fold::kBlock)
      t.sum_block(g.block_chunks, b, sum);
    else
      t.sum_super(meta + head, b, sum, mins);
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      const Scales scale = load_scales<w>(meta + p * t.to_next, scale_bytes);
#pragma GCC unroll 16
      for (int n = 0; n < N; n++)
        y[n][p] = fold_block<w>(y[n][p], sum[n][p], mins[n][p], t.a_sum[n * g.a_sum_stride + b], scale,
                                t.a_scale[n * g.a_scale_stride + b]);
    }
    meta += meta_bytes;
  }
}

template <QGemmVariant w, int P, int N>
inline void tile(const QGemmArgs& g, size_t panel, size_t step, size_t token) {
  Tile<w, P, N> t(g, panel, step, token);
  F y[N][P];
  if constexpr (w.fold == Fold::kRow)
    fold_rows(t, y);
  else if constexpr (has_half_scales(w))
    fold_halves(t, y);
  else
    fold_blocks(t, y);
  for (int p = 0; p < P; p++)
    for (int n = 0; n < N; n++)
      store_rows(g.out + (token + n) * g.out_stride + 16 * (panel + p * step),
                 g.n_rows - 16 * (panel + p * step), y[n][p]);
}

template <QGemmVariant w, int P, int N>
inline void tokens(const QGemmArgs& g, size_t panel, size_t& token) {
  for (; token + N <= g.n_tokens; token += N) tile<w, P, N>(g, panel, 1, token);
}

template <QGemmVariant w>
  requires(!w.trits && !w.index)
void run(const QGemmArgs& g) {
  // Outputs of a tile, as many as fill the registers: kTile with one integer sum each, half with sum and
  // float. Two kinds of integer sums and a float are too many for 8, but where there are 32 registers two
  // panels that share an activation gain more than their floats lose in memory.
  constexpr int full = w.fold == Fold::kRow ? kTile : w.fold == Fold::kSuper && kTile < 16 ? 2 : kTile / 2;
  const size_t n_panels = (g.n_rows + 15) / 16;
  size_t p = 0;
  const auto far = [&]<int P, int N>() {  // panels n_panels / P apart
    const size_t step = n_panels / P;
    for (; p < step; p++) tile<w, P, N>(g, p, step, 0);
    for (p = P * step; p < n_panels; p++) tile<w, 1, N>(g, p, 1, 0);
  };
  if (g.n_tokens == 1)
    return g.n_streams == 2 ? far.template operator()<2, 1>() : far.template operator()<4, 1>();
  if constexpr (plane_count<w, 2, 2>() == 4) {
    if (g.n_tokens == 2) return far.template operator()<2, 2>();
    if (g.n_tokens == 3) return far.template operator()<1, 3>();
    if (g.n_tokens == 4) return far.template operator()<1, 4>();
  } else if constexpr (kTile >= 16) {
    if (g.n_tokens == 2) return far.template operator()<2, 2>();
    if constexpr (full >= 8) {
      if (g.n_tokens == 3) return far.template operator()<2, 3>();
      if (g.n_tokens == 4) return far.template operator()<2, 4>();
    }
  }
  const auto sweep = [&]<int P>() {
    for (; p + P <= n_panels; p += P) {
      size_t t = 0;
      tokens<w, P, (full / P > 0 ? full / P : 1)>(g, p, t);
      if constexpr (full / P > 4) tokens<w, P, 4>(g, p, t);
      if constexpr (full / P > 2) tokens<w, P, 2>(g, p, t);
      tokens<w, P, 1>(g, p, t);
    }
  };
  if constexpr (full >= 8) sweep.template operator()<2>();
  sweep.template operator()<1>();
}

}  // namespace qgemm
}  // namespace
