// Matmul by lookup for avx2: vpshufb looks up 16 rows of a group in each half of a register. For that a
// line's bytes are brought in order of j first (rows of one group side by side). Sums of 16 bits: the even
// rows' bytes and 256 times the odd ones' add up together, the odd ones' once more alone.
#define STERNA_ISA avx2
#define STERNA_NIBBLES  // what goes with Sums is here
#include "kernels/avx2/quads.h"

namespace {
namespace qgemm {

constexpr int kLookupPanels = 1;
constexpr size_t kSpanLines = 8;  // 8 lookups each of at most 768: sums fit 16 bits

/// Measured on Zen 4: 130 Gweights/s at any depth, with 2 panels or without prefetches 90 to 132.
struct Streams {
  static constexpr size_t kPanels = 4;
  static constexpr bool kPrefetch = true;
  static constexpr size_t kMaxVectors = 1 << 30;
};

struct Sums {
  __m256i all, odd;
  static Sums zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  void add(__m256i x) {
    all = _mm256_add_epi16(all, x);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(x, 8));
  }
  void add(B x) { add(x.lo), add(x.hi); }
  void add_high(__m256i x) {  // 256 * x
    all = _mm256_add_epi16(all, _mm256_slli_epi16(x, 8));
    odd = _mm256_add_epi16(odd, _mm256_andnot_si256(_mm256_set1_epi16(255), x));
  }
  void add_high(B x) { add_high(x.lo), add_high(x.hi); }
  I total() const {
    const auto both = [](__m256i x) {
      return _mm_add_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    };
    const __m128i evens = both(_mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8))), odds = both(odd);
    const __m128i a = _mm_unpacklo_epi16(evens, odds), b = _mm_unpackhi_epi16(evens, odds);
    return {_mm256_cvtepu16_epi32(_mm_unpacklo_epi64(a, b)), _mm256_cvtepu16_epi32(_mm_unpackhi_epi64(a, b))};
  }
};
/// Puts byte 4r + j at 16j + r, with rows 4 to 7 and 8 to 11 exchanged.
inline B load_groups(const uint8_t* p) {
  const B line = B::load(p);
  const __m256i js =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  // 32-bit parts rj: four rows 4r.. of group j
  const __m256i a = _mm256_shuffle_epi8(line.lo, js), b = _mm256_shuffle_epi8(line.hi, js);
  const __m256i lo = _mm256_unpacklo_epi32(a, b), hi = _mm256_unpackhi_epi32(a, b);
  // 00 20 01 21 | 10 30 11 31  ->  00 20 10 30 | 01 21 11 31: rows 0-3, 8-11, 4-7, 12-15
  return {_mm256_permute4x64_epi64(lo, 0xd8), _mm256_permute4x64_epi64(hi, 0xd8)};
}
/// Of each byte, nibble h.
template <int h>
inline B table_index(B line) {
  return move_bits<4 * h, 4, 0>(line);
}
inline B look_up(B tables, B index) { return lookup16(tables, index); }

}  // namespace qgemm
}  // namespace

// the source, for those; for calls without tables that of products
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the list, defined from that source
#include "kernels/generic/lookup.inc"
