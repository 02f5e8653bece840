// Low-bit matmul on the matrix unit, for 16 tokens or more; fewer take the generic code on avx512's vectors.
// Unpacked, a panel's codes are rows of 64 bytes, one per quad of k: as they stand the second factor of
// tdpbsud. So per pair of panels a slab of k is unpacked into a buffer of L1, and all tokens are multiplied
// with it, two tiles of 16 tokens times two panels at a time (four accumulators, and four loads for four
// products). What a tile of tokens has summed so far waits in a second buffer while k passes by. There are no
// tails: an odd last panel forms a pair with itself, a last tile of fewer than 16 tokens starts earlier, and
// depths (blocks) that are an odd number of chunks are multiplied one chunk at a time, by tiles of half the
// depth.
#define STERNA_ISA amx
#include "kernels/avx512_vbmi/vec.h"
// the vectors come before the source that uses them
#include "kernels/amx/tiles.h"
#include "kernels/generic/define.h"
#include "kernels/generic/trits.inl.h"

namespace {
namespace qgemm {

using sterna::kernels::trit_lines;

static_assert(kDotBias8 == 0);

/// Chunks in a slab: 640 k (a multiple of 80, for trits), of which the codes of a pair of panels take 20 KB
/// and the activations of two tiles as much; L1 has 48 KB, and from L2 both would not come fast enough.
constexpr size_t kSlabChunks = 20;
/// Tiles of tokens whose sums are kept.
constexpr size_t kGroup = 8;

/// Tile numbers: 0 to 3 are sums (2 * token tile + panel), from kA two of activations, from kB two of codes.
constexpr int kA = 4, kB = 6;

using Slab = uint8_t[2][kSlabChunks * 8 * 64];  // by panel
template <class T>
using Sums = T[16][2][16];  // of a tile of tokens: by token, panel, row
constexpr size_t kSumStride = sizeof(Sums<int32_t>) / 16;

TileConfig config(size_t chunks) {
  TileConfig c;
  for (int i = 0; i < 8; i++) c.rows[i] = 16, c.row_bytes[i] = 64;
  c.row_bytes[kA] = c.row_bytes[kA + 1] = uint16_t(32 * chunks);
  c.rows[kB] = c.rows[kB + 1] = uint8_t(8 * chunks);
  return c;
}

/// The quads of n chunks; what stands there in the next slab is prefetched.
template <QGemmVariant w>
inline void unpack_chunks(const uint8_t* codes, size_t n, B table, uint8_t* to) {
  for (; n > 0; n--, codes += 64 * w.bits)
    for (int h = 0; h < 2; h++, to += 4 * 64) {
      B q[4];
      unpack_half<w>(codes, h, table, q);
      for (int i = 0; i < 4; i++) q[i].store(to + 64 * i);
      for (int i = h; i < w.bits; i += 2) __builtin_prefetch(codes + (kSlabChunks * w.bits + i) * 64);
    }
}

/// The quads of `units` times 16 k of ternary digits; returns the bytes consumed.
inline size_t unpack_trits(const uint8_t* codes, size_t units, uint8_t* to) {
  const uint8_t* const start = codes;
  const auto line = [&](uint8_t* four, uint8_t* fifth) {
    const Trits t = decode_trits(B::load(codes));
    move_bits<0, 2, 0>(t.four).store(four), move_bits<2, 2, 0>(t.four).store(four + 64);
    move_bits<4, 2, 0>(t.four).store(four + 128), move_bits<6, 2, 0>(t.four).store(four + 192);
    if (fifth) move_bits<6, 2, 0>(t.fifth).store(fifth);
    __builtin_prefetch(codes + trit_lines(2 * kSlabChunks) * 64);
    codes += 64;
  };
  for (; units >= 5; units -= 5, to += 20 * 64)
    for (int l = 0; l < 4; l++) line(to + 256 * l, to + (16 + l) * 64);
  for (; units > 0; units--, to += 4 * 64) line(to, nullptr);
  return size_t(codes - start);
}

template <int M>
inline void zero_sums() {
  tile_zero<0>(), tile_zero<1>();
  if constexpr (M == 2) tile_zero<2>(), tile_zero<3>();
}
template <int M>
inline void load_sums(const Sums<int32_t> sums[M]) {
  tile_load<0>(sums[0][0][0], kSumStride), tile_load<1>(sums[0][0][1], kSumStride);
  if constexpr (M == 2) tile_load<2>(sums[1][0][0], kSumStride), tile_load<3>(sums[1][0][1], kSumStride);
}
template <int M>
inline void store_sums(Sums<int32_t> sums[M]) {
  tile_store<0>(sums[0][0][0], kSumStride), tile_store<1>(sums[0][0][1], kSumStride);
  if constexpr (M == 2) tile_store<2>(sums[1][0][0], kSumStride), tile_store<3>(sums[1][0][1], kSumStride);
}

/// Adds the products of M tiles of tokens and the slab's chunks [first, first + n).
template <int M>
inline void multiply(const int8_t* const act[M], size_t act_stride, const Slab& slab, size_t first, size_t n,
                     size_t step) {
  for (size_t c = first; c < first + n; c += step) {
    tile_load<kB>(slab[0] + 512 * c, 64);
    tile_load<kA>(act[0] + 32 * c, act_stride);
    tile_dot_i8_u8<0, kA, kB>();
    tile_load<kB + 1>(slab[1] + 512 * c, 64);
    tile_dot_i8_u8<1, kA, kB + 1>();
    if constexpr (M == 2) {
      tile_load<kA + 1>(act[1] + 32 * c, act_stride);
      tile_dot_i8_u8<2, kA + 1, kB>();
      tile_dot_i8_u8<3, kA + 1, kB + 1>();
    }
  }
}

/// A pair of panels and a slab of k.
struct Place {
  size_t panel[2];
  size_t chunk, n_chunks;
};

template <QGemmVariant w>
inline void unpack_slab(const QGemmArgs& g, const Place& at, B table, Slab& slab) {
  for (int p = 0; p < 2; p++) {
    const uint8_t* codes = g.panels + at.panel[p] * g.panel_bytes;
    if constexpr (w.fold == Fold::kRow) {
      codes += g.codes_offset;
      if constexpr (w.trits)
        unpack_trits(codes + 64 * trit_lines(2 * at.chunk), 2 * at.n_chunks, slab[p]);
      else
        unpack_chunks<w>(codes + at.chunk * 64 * w.bits, at.n_chunks, table, slab[p]);
    } else {
      const size_t bytes = 64 * (w.trits ? trit_lines(2 * g.block_chunks) : g.block_chunks * w.bits);
      for (size_t c = 0; c < at.n_chunks; c += g.block_chunks) {
        const uint8_t* block = codes + codes_of_block(g, (at.chunk + c) / g.block_chunks, bytes);
        if constexpr (w.trits)
          unpack_trits(block, 2 * g.block_chunks, slab[p] + 512 * c);
        else
          unpack_chunks<w>(block, g.block_chunks, table, slab[p] + 512 * c);
      }
    }
  }
}

template <QGemmVariant w>
inline I integer(const QGemmArgs& g, const int32_t* sum, int32_t a_sum) {
  constexpr int mul = w.bits == 1 ? 2 : 1;
  return scaled<mul>(I{_mm512_load_si512(sum)}) - I::set1(g.zero * a_sum);
}

/// Folds the integer sums of block b, which begin at token t, into y; by fold.inl.h.
template <QGemmVariant w>
inline void fold_tile(const QGemmArgs& g, const Place& at, size_t b, size_t t, const Sums<int32_t>& sums,
                      Sums<float>& y) {
  const size_t scale_bytes = g.f32_scales ? 64 : 32, meta_bytes = scale_bytes * (w.has_min ? 2 : 1);
  for (int p = 0; p < 2; p++) {
    const uint8_t* meta = g.panels + at.panel[p] * g.panel_bytes + meta_of_block(g, b, meta_bytes);
    const Scales scale = load_scales<w>(meta, scale_bytes);
    for (size_t i = 0; i < 16; i++) {
      const int32_t a_sum = g.a_sum[(t + i) * g.a_sum_stride + b];
      const F before = b ? F::load(y[i][p]) : F::zero();
      fold_block<w>(before, integer<w>(g, sums[i][p], a_sum), I::zero(), a_sum, scale,
                    g.a_scale[(t + i) * g.a_scale_stride + b])
          .store(y[i][p]);
    }
  }
}

/// Adds a slab to the sums of M tiles of tokens, which begin at token[0] and token[1].
template <QGemmVariant w, int M, class T>
inline void add_slab(const QGemmArgs& g, const Place& at, const Slab& slab, size_t step,
                     const size_t token[M], Sums<T> sums[M]) {
  const int8_t* act[M];
  for (int i = 0; i < M; i++) act[i] = g.act + token[i] * g.act_stride + 32 * at.chunk;
  if constexpr (w.fold == Fold::kRow) {
    at.chunk ? load_sums<M>(sums) : zero_sums<M>();
    multiply<M>(act, g.act_stride, slab, 0, at.n_chunks, step);
    store_sums<M>(sums);
  } else {
    for (size_t c = 0; c < at.n_chunks; c += g.block_chunks) {
      alignas(64) Sums<int32_t> of_block[M];
      zero_sums<M>();
      multiply<M>(act, g.act_stride, slab, c, g.block_chunks, step);
      store_sums<M>(of_block);
      for (int i = 0; i < M; i++)
        fold_tile<w>(g, at, (at.chunk + c) / g.block_chunks, token[i], of_block[i], sums[i]);
    }
  }
}

template <QGemmVariant w, class T>
inline void write(const QGemmArgs& g, const Place& at, size_t token, const Sums<T>& sums) {
  for (int p = 0; p < 2; p++)
    for (size_t i = 0; i < 16; i++) {
      F y;
      if constexpr (w.fold == Fold::kRow) {
        const F s = F::load(reinterpret_cast<const float*>(g.panels + at.panel[p] * g.panel_bytes));
        y = fold_row(integer<w>(g, sums[i][p], g.a_sum[(token + i) * g.a_sum_stride]), s,
                     g.a_scale[(token + i) * g.a_scale_stride]);
      } else {
        y = F::load(sums[i][p]);
      }
      store_rows(g.out + (token + i) * g.out_stride + 16 * at.panel[p], g.n_rows - 16 * at.panel[p], y);
    }
}

template <QGemmVariant w>
void tiles(const QGemmArgs& g) {
  constexpr bool row = w.fold == Fold::kRow;
  const size_t span = row ? g.n_chunks : g.block_chunks;  // chunks that share one integer sum
  if (g.n_tokens < 16 || (!row && span > kSlabChunks)) return run<w>(g);
  const size_t step = span % 2 ? 1 : 2, slab_chunks = row ? kSlabChunks : kSlabChunks / span * span;
  const size_t n_tiles = (g.n_tokens + 15) / 16, n_panels = (g.n_rows + 15) / 16;
  B table = B::zero();
  if constexpr (w.codebook) table = broadcast16(g.codebook);
  alignas(64) Slab slab;
  alignas(64) Sums<std::conditional_t<row, int32_t, float>> sums[kGroup];

  tiles_configure(config(step));
  for (size_t group = 0; group < n_tiles; group += kGroup) {
    const size_t n = n_tiles - group < kGroup ? n_tiles - group : kGroup;
    size_t token[kGroup];
    for (size_t i = 0; i < n; i++) {
      const size_t t = 16 * (group + i);
      token[i] = t + 16 <= g.n_tokens ? t : g.n_tokens - 16;
    }
    for (size_t panel = 0; panel < n_panels; panel += 2) {
      Place at{{panel, panel + (panel + 1 < n_panels)}, 0, 0};
      for (; at.chunk < g.n_chunks; at.chunk += at.n_chunks) {
        at.n_chunks = g.n_chunks - at.chunk < slab_chunks ? g.n_chunks - at.chunk : slab_chunks;
        unpack_slab<w>(g, at, table, slab);
        size_t i = 0;
        for (; i + 2 <= n; i += 2) add_slab<w, 2>(g, at, slab, step, token + i, sums + i);
        if (i < n) add_slab<w, 1>(g, at, slab, step, token + i, sums + i);
      }
      for (size_t i = 0; i < n; i++) write<w>(g, at, token[i], sums[i]);
    }
  }
  tiles_release();
}

}  // namespace qgemm
}  // namespace

// the list, defined from that source
#include "kernels/amx/kernels.inc"
