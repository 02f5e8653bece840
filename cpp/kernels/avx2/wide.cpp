// Matmul of several tokens by codes of 8 bits for avx2, whose products of bytes saturate: a block's codes are
// unpacked once to 16 bits, their zero taken off and their sub-block's scale multiplied in, for vpmaddwd. Per
// 32 products two of these and two vpaddd, whatever the number of sub-blocks.
#define STERNA_ISA avx2
#include "kernels/avx2/quads.h"
// the source, for the tiles and folds
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"

namespace {
namespace qgemm {

constexpr size_t kSpan = 32 * kSpanChunks;

/// Codes as 16-bit numbers, a line of 64 bytes per two k: row r's k = 2i and 2i + 1 in its lane r.
struct Words {
  alignas(64) int16_t line[kSpan / 2][32];
};

/// A line of the two low or the two high bytes of each row's quad.
STERNA_INLINE void store_line(int16_t* to, B quad, B pick, __m256i zero, const Pair* factor) {
  const B bytes = {_mm256_shuffle_epi8(quad.lo, pick.lo), _mm256_shuffle_epi8(quad.hi, pick.hi)};
  __m256i lo = _mm256_sub_epi16(bytes.lo, zero), hi = _mm256_sub_epi16(bytes.hi, zero);
  if (factor) lo = _mm256_mullo_epi16(lo, factor->lo), hi = _mm256_mullo_epi16(hi, factor->hi);
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), lo);
  _mm256_store_si256(reinterpret_cast<__m256i*>(to + 16), hi);
}

/// The codes of n_chunks; `factors` has one per chunk, or is null.
template <QGemmVariant w>
inline void widen(const uint8_t* codes, size_t n_chunks, B table, int32_t zero, const Pair* factors,
                  Words& to) {
  alignas(16) static constexpr int8_t kLow[16] = {0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1};
  alignas(16) static constexpr int8_t kHigh[16] = {2,  -1, 3,  -1, 6,  -1, 7,  -1,
                                                   10, -1, 11, -1, 14, -1, 15, -1};
  const B low = broadcast16(reinterpret_cast<const uint8_t*>(kLow));
  const B high = broadcast16(reinterpret_cast<const uint8_t*>(kHigh));
  const __m256i z = _mm256_set1_epi16(int16_t(zero));
  int16_t* line = to.line[0];
  for (size_t c = 0; c < n_chunks; c++, codes += 64 * w.bits) {
    const Pair* factor = factors ? factors + c : nullptr;
    for (int i = 0; i < w.bits; i++) __builtin_prefetch(codes + (kSpanChunks * w.bits + size_t(i)) * 64);
    for (int h = 0; h < 2; h++) {
      B q[4];
      unpack_half<w>(codes, h, table, q);
      for (int i = 0; i < 4; i++, line += 64)
        store_line(line, q[i], low, z, factor), store_line(line + 32, q[i], high, z, factor);
    }
  }
}

/// acc[t] += the sum over n k of the words times token t's activations.
template <int T>
STERNA_INLINE void dot_words(I acc[T], const Words& words, size_t n, const int8_t* act, size_t act_stride) {
  alignas(64) int16_t x[T][kSpan];
  for (int t = 0; t < T; t++)
    for (size_t k = 0; k < n; k += 16) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(act + size_t(t) * act_stride + k));
      _mm256_store_si256(reinterpret_cast<__m256i*>(&x[t][k]), _mm256_cvtepi8_epi16(a));
    }
  for (size_t i = 0; i < n / 2; i++) {
    const __m256i c0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(words.line[i]));
    const __m256i c1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(words.line[i] + 16));
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      int32_t two;
      std::memcpy(&two, &x[t][2 * i], 4);
      const __m256i pair = _mm256_set1_epi32(two);
      acc[t].lo = add32(acc[t].lo, _mm256_madd_epi16(c0, pair));
      acc[t].hi = add32(acc[t].hi, _mm256_madd_epi16(c1, pair));
    }
  }
}

template <QGemmVariant w>
inline void wide_pass(const QGemmArgs& g, size_t panel, size_t token, size_t n_tokens) {
  static_assert(max_code(w) == 255 && !w.has_min && w.sub != 16);
  Words words;
  const uint8_t* base = g.panels + panel * g.panel_bytes;
  const int8_t* act = g.act + token * g.act_stride;
  const float* a_scale = g.a_scale + token * g.a_scale_stride;
  float* out = g.out + token * g.out_stride + 16 * panel;
  const size_t rows = g.n_rows - 16 * panel;
  B table = B::zero();
  if constexpr (w.codebook) table = broadcast16(g.codebook);

  if constexpr (w.fold == Fold::kRow) {
    I sum[kPassTokens];
    for (size_t t = 0; t < n_tokens; t++) sum[t] = I::zero();
    for (size_t c = 0; c < g.n_chunks; c += kSpanChunks) {
      const size_t n = g.n_chunks - c < kSpanChunks ? g.n_chunks - c : kSpanChunks;
      widen<w>(base + g.codes_offset + c * 64 * w.bits, n, table, g.zero, nullptr, words);
      for_tiles<kTokenTile>(n_tokens, [&]<int T>(size_t t) {
        dot_words<T>(sum + t, words, 32 * n, act + t * g.act_stride + 32 * c, g.act_stride);
      });
    }
    const F s = F::load(reinterpret_cast<const float*>(base));
    for (size_t t = 0; t < n_tokens; t++)
      store_rows(out + t * g.out_stride, rows, fold_row(sum[t], s, a_scale[t * g.a_scale_stride]));
  } else {
    const size_t scale_bytes = g.f32_scales ? 64 : 32, depth = 32 * g.block_chunks;
    const size_t n_subs = w.fold == Fold::kSuper ? g.block_chunks : 0;  // of 32
    const size_t meta_bytes = scale_bytes + n_subs * kSubBytes<w>, code_bytes = g.block_chunks * 64 * w.bits;
    F y[kPassTokens];
    for (size_t t = 0; t < n_tokens; t++) y[t] = F::zero();
    for (size_t b = 0; b < g.n_chunks / g.block_chunks; b++) {
      const uint8_t* const meta = base + meta_of_block(g, b, meta_bytes);
      Pair factors[kSpanChunks];
      for (size_t s = 0; s < n_subs; s++) {
        const I sc = I::load_i8(reinterpret_cast<const int8_t*>(meta + scale_bytes + s * kSubBytes<w>));
        factors[s] = {sc, sc};
      }
      widen<w>(base + codes_of_block(g, b, code_bytes), g.block_chunks, table, g.zero,
               n_subs ? factors : nullptr, words);
      const F d = load_scale(meta, g.f32_scales);
      for_tiles<kTokenTile>(n_tokens, [&]<int T>(size_t t) {
        I acc[T];
        for (int i = 0; i < T; i++) acc[i] = I::zero();
        dot_words<T>(acc, words, depth, act + t * g.act_stride + b * depth, g.act_stride);
#pragma GCC unroll 8
        for (int i = 0; i < T; i++)
          y[t + i] = fold_sum(y[t + i], acc[i], d, F::set1(a_scale[(t + i) * g.a_scale_stride + b]));
      });
    }
    for (size_t t = 0; t < n_tokens; t++) store_rows(out + t * g.out_stride, rows, y[t]);
  }
}

template <QGemmVariant w>
void wide(const QGemmArgs& g) {
  constexpr size_t min_tokens = w.fold == Fold::kRow ? 5 : 6;
  if (g.n_tokens < min_tokens || g.block_chunks > kSpanChunks) return run<w>(g);
  for (size_t t = 0; t < g.n_tokens; t += kPassTokens)
    for (size_t p = 0; p < (g.n_rows + 15) / 16; p++)
      wide_pass<w>(g, p, t, g.n_tokens - t < kPassTokens ? g.n_tokens - t : kPassTokens);
}

}  // namespace qgemm
}  // namespace

STERNA_KERNEL_AS(qgemm, w8_row, wide)
STERNA_KERNEL_AS(qgemm, w8_block, wide)
STERNA_KERNEL_AS(qgemm, w4c_block, wide)
STERNA_KERNEL_AS(qgemm, w4c_super32, wide)
