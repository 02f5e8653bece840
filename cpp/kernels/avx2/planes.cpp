// Matmul of one token with 1-bit codes for avx2. The bits of a nibble stay where they are: one AND makes 32
// of them an operand of vpmaddubsw, whose sums then are multiples of 1, 2, 4 or 8 and are divided once at the
// end. Per 512 weights 50 instructions of arithmetic, where moving each bit to the bottom takes 66.
#define STERNA_ISA avx2
#include "kernels/avx2/quads.h"
// the source, for more tokens than one
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"

namespace {
namespace qgemm {

/// Lines whose sums fit 16 bits: a lane takes 4 products of at most 8 * 128 per line; 7 * 4096 < 2^15.
constexpr size_t kPlaneLines = 7;

/// Sums over n <= kPlaneLines lines of code * activation, 16 rows.
inline I dot_lines(const uint8_t* codes, size_t n, const int8_t* act) {
  __m256i s[4][2];
  for (int b = 0; b < 4; b++) s[b][0] = s[b][1] = _mm256_setzero_si256();
  for (size_t l = 0; l < n; l++, codes += 64, act += 32) {
    __builtin_prefetch(codes + kPrefetchBytes);
    __m256i x0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    __m256i x1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 32));
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
#pragma GCC unroll 4
      for (int b = 0; b < 4; b++) {
        int32_t a;
        std::memcpy(&a, act + 16 * h + 4 * b, 4);
        const __m256i quad = _mm256_set1_epi32(a), bit = _mm256_set1_epi8(char(1 << b));
        s[b][0] = add16(s[b][0], _mm256_maddubs_epi16(_mm256_and_si256(x0, bit), quad));
        s[b][1] = add16(s[b][1], _mm256_maddubs_epi16(_mm256_and_si256(x1, bit), quad));
      }
      x0 = _mm256_srli_epi16(x0, 4), x1 = _mm256_srli_epi16(x1, 4);
    }
  }
  // |s[b] / 2^b| <= kPlaneLines * 512 each: their sum fits, too.
  const auto half = [&](int i) {
    const __m256i s01 = _mm256_add_epi16(s[0][i], _mm256_srai_epi16(s[1][i], 1));
    const __m256i s23 = _mm256_add_epi16(_mm256_srai_epi16(s[2][i], 2), _mm256_srai_epi16(s[3][i], 3));
    return _mm256_madd_epi16(_mm256_add_epi16(s01, s23), _mm256_set1_epi16(1));
  };
  return {half(0), half(1)};
}

/// As dot_lines() for any n, P panels `to_next` bytes apart side by side.
template <int P>
inline void dot_panels(I sum[P], const uint8_t* codes, size_t to_next, size_t n, const int8_t* act) {
  for (int p = 0; p < P; p++) sum[p] = I::zero();
  for (size_t l = 0; l < n; l += kPlaneLines)
    for (int p = 0; p < P; p++)
      sum[p] = sum[p] + dot_lines(codes + p * to_next + 64 * l, n - l < kPlaneLines ? n - l : kPlaneLines,
                                  act + 32 * l);
}

template <Fold fold, int P>
inline void one_token(const QGemmArgs& g, size_t panel, size_t step) {
  const uint8_t* base = g.panels + panel * g.panel_bytes;
  const size_t to_next = step * g.panel_bytes;
  F y[P];
  I sum[P];
  if constexpr (fold == Fold::kRow) {
    dot_panels<P>(sum, base + g.codes_offset, to_next, g.n_chunks, g.act);
    for (int p = 0; p < P; p++) {
      const F s = F::load(reinterpret_cast<const float*>(base + p * to_next));
      y[p] = to_float(scaled<2>(sum[p]) - I::set1(g.zero * g.a_sum[0])) * (s * F::set1(g.a_scale[0]));
    }
  } else {
    const size_t n_blocks = g.n_chunks / g.block_chunks, scale_bytes = g.f32_scales ? 64 : 32;
    for (int p = 0; p < P; p++) y[p] = F::zero();
    for (size_t b = 0; b < n_blocks; b++) {
      const size_t l = b * g.block_chunks;
      dot_panels<P>(sum, base + codes_of_block(g, b, 64 * g.block_chunks), to_next, g.block_chunks,
                    g.act + 32 * l);
      for (int p = 0; p < P; p++) {
        const F d = load_scale(base + p * to_next + meta_of_block(g, b, scale_bytes), g.f32_scales);
        y[p] =
            fma(to_float(scaled<2>(sum[p]) - I::set1(g.zero * g.a_sum[b])), d * F::set1(g.a_scale[b]), y[p]);
      }
    }
  }
  for (int p = 0; p < P; p++)
    store_rows(g.out + 16 * (panel + p * step), g.n_rows - 16 * (panel + p * step), y[p]);
}

template <Fold fold>
void planes(const QGemmArgs& g) {
  if (g.n_tokens != 1) return unpacked<v(1, fold)>(g);
  const size_t n_panels = (g.n_rows + 15) / 16, streams = g.n_streams == 2 ? 2 : 4, step = n_panels / streams;
  size_t p = 0;
  for (; p < step; p++) streams == 2 ? one_token<fold, 2>(g, p, step) : one_token<fold, 4>(g, p, step);
  for (p = streams * step; p < n_panels; p++) one_token<fold, 1>(g, p, 1);
}
constexpr auto* w1_row_planes = planes<Fold::kRow>;
constexpr auto* w1_block_planes = planes<Fold::kBlock>;

}  // namespace qgemm
}  // namespace

STERNA_KERNEL_AS(qgemm, w1_row, planes)
STERNA_KERNEL_AS(qgemm, w1_block, planes)
