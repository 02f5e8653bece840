// The g variants for avx2. A vector is four rows by eight k, loaded as four entries of the table; a shift
// puts a pattern's signs where vpblendvb takes them.
#define STERNA_ISA avx2
#define STERNA_GRID  // run() is here
#include <utility>

#include "kernels/avx2/quads.h"
// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/grid.inl.h"

namespace {
namespace qgemm {

inline __m128i load16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }

/// Numbers of a strip's patterns: bytes as they are or, with high bits, put together.
template <QGemmVariant w>
struct Numbers {
  const uint8_t* at;
  STERNA_INLINE explicit Numbers(const uint8_t* strip) : at(strip) {}
  STERNA_INLINE size_t operator()(int i, int r) const { return at[16 * i + r]; }
};
template <QGemmVariant w>
  requires(w.index == 10)
struct Numbers<w> {
  alignas(32) uint16_t all[8][16];
  STERNA_INLINE explicit Numbers(const uint8_t* strip) {
    const auto words = [&](size_t from) { return _mm256_cvtepu8_epi16(load16(strip + from)); };
    const __m256i high[2] = {words(kGridHigh), words(kGridHigh + 16)}, mask = _mm256_set1_epi16(0x300);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const __m256i h = _mm256_and_si256(_mm256_slli_epi16(high[i / 4], 8 - i % 4 * 2), mask);
      _mm256_store_si256(reinterpret_cast<__m256i*>(all[i]), _mm256_or_si256(words(16 * size_t(i)), h));
    }
    asm("" : "+m"(all));  // or GCC takes the numbers out of registers, at twice the instructions
  }
  STERNA_INLINE size_t operator()(int i, int r) const { return all[i][r]; }
};

/// A line's 16 rows are 4 vectors; v has rows first_row(v) + 0, 1, 4, 5. So shuffles and horizontal sums of
/// two vectors leave rows in order.
constexpr int first_row(int v) { return v / 2 * 8 + v % 2 * 2; }

/// The magnitudes of pattern i.
template <QGemmVariant w>
STERNA_INLINE __m256i magnitudes(const uint8_t* grid, const Numbers<w>& numbers, int i, int v) {
  const auto two = [&](int r) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(grid + 8 * numbers(i, r)));
    return _mm_castps_si128(
        _mm_loadh_pi(_mm_castsi128_ps(x), reinterpret_cast<const __m64*>(grid + 8 * numbers(i, r + 1))));
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(two(first_row(v))), two(first_row(v) + 4), 1);
}

/// The signs of a strip, of all patterns.
STERNA_INLINE void load_signs(const uint8_t* strip, __m256i signs[4]) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; v++) {
    const uint8_t* p = strip + kGridSigns + 8 * first_row(v);
    signs[v] = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p)), load16(p + 32), 1);
  }
}
/// x or, where pattern i's sign is set, y.
template <int i>
STERNA_INLINE __m256i choose(__m256i signs, __m256i x, __m256i y) {
  return _mm256_blendv_epi8(x, y, _mm256_slli_epi16(signs, 7 - i));
}

/// Calls f.operator()<i>() for i = 0 .. 7.
template <class Fn>
STERNA_INLINE void for_patterns(Fn f) {
  const auto all = [&]<size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    (f.template operator()<int(i)>(), ...);
  };
  all(std::make_index_sequence<8>());
}

/// The codes of n_chunks, a multiple of 2, as bytes, 64 per quad. The next block is read while the tokens
/// pass by.
template <QGemmVariant w>
inline void look_up(const uint8_t* grid, const uint8_t* codes, size_t n_chunks, uint8_t* bytes) {
  const __m256i zero = _mm256_set1_epi8((max_code(w) + 1) / 2);
  for (size_t c = 0; c < n_chunks; c += 2, codes += grid_strip_bytes(w), bytes += 1024) {
    for (size_t i = 0; i < grid_strip_bytes(w); i += 64)
      __builtin_prefetch(codes + kGridStrips * grid_strip_bytes(w) + i);
    const Numbers<w> numbers(codes);
    __m256i signs[4];
    load_signs(codes, signs);
    for_patterns([&]<int i>() __attribute__((always_inline)) {
      const auto part = [&](int v) {
        const __m256i m = magnitudes<w>(grid, numbers, i, v);
        return _mm256_castsi256_ps(choose<i>(signs[v], _mm256_add_epi8(zero, m), _mm256_sub_epi8(zero, m)));
      };
      const auto put = [&](int quad, int half, __m256 x) {
        _mm256_store_ps(reinterpret_cast<float*>(bytes + 64 * quad + 32 * half), x);
      };
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++) {
        const __m256 a = part(2 * half), b = part(2 * half + 1);
        put(2 * i, half, _mm256_shuffle_ps(a, b, 0x88));
        put(2 * i + 1, half, _mm256_shuffle_ps(a, b, 0xdd));
      }
    });
  }
}

/// The sub-scales at `line`, those in the low or in the `second`, high four bits, each in the four 16-bit
/// lanes of its row.
STERNA_INLINE void load_factors(const uint8_t* line, bool second, __m256i to[4]) {
  const __m256i both = _mm256_broadcastsi128_si256(load16(line));
  __m256i n = _mm256_and_si256(second ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(15));
  n = _mm256_add_epi8(_mm256_add_epi8(n, n), _mm256_set1_epi8(1));
  const auto row = [](int r) { return int64_t(0xff00ff00ff00ff00u | 0x0001000100010001u * unsigned(r)); };
#pragma GCC unroll 4
  for (int v = 0; v < 4; v++) {
    const int r = first_row(v);
    to[v] = _mm256_shuffle_epi8(n, _mm256_set_epi64x(row(r + 5), row(r + 4), row(r + 1), row(r)));
  }
}

/// acc += the products of a strip, times the sub-scales, whose lines are from `subs` on.
template <QGemmVariant w>
STERNA_INLINE void add_strip(const uint8_t* grid, const uint8_t* strip, const uint8_t* subs,
                             const int8_t* act, __m256i acc[4]) {
  constexpr int of_sub = w.sub / 8;
  // Two patterns' sums of two products fit a 16-bit lane.
  static_assert(4 * 127 * (max_code(w) / 2) <= 32767);
  const Numbers<w> numbers(strip);
  __m256i signs[4], sum[4], factor[4];
  load_signs(strip, signs);
  for_patterns([&]<int i>() __attribute__((always_inline)) {
    if constexpr (i % of_sub == 0) load_factors(subs + i / of_sub / 2 * 16, i / of_sub % 2, factor);
    int64_t eight;
    std::memcpy(&eight, act + 8 * i, 8);
    const __m256i x = _mm256_set1_epi64x(eight), minus = _mm256_sub_epi8(_mm256_setzero_si256(), x);
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
      const __m256i product =
          _mm256_maddubs_epi16(magnitudes<w>(grid, numbers, i, v), choose<i>(signs[v], x, minus));
      sum[v] = i % 2 == 0 ? product : add16(sum[v], product);
      if constexpr (i % 2 == 1) acc[v] = _mm256_add_epi32(acc[v], _mm256_madd_epi16(sum[v], factor[v]));
    }
  });
}

/// The products of one token, none of whose activations is -128: that has no negative.
template <QGemmVariant w>
inline void one_token(const QGemmArgs& g) {
  constexpr size_t lines = 64 / w.sub / 2 * 16, strip_bytes = grid_strip_bytes(w);  // of a strip
  const size_t scale_bytes = g.f32_scales ? 64 : 32, meta_bytes = scale_bytes + kGridStrips * lines;
  for (size_t p = 0; p < (g.n_rows + 15) / 16; p++) {
    const uint8_t* panel = g.panels + p * g.panel_bytes;
    F y = F::zero();
    for (size_t b = 0; b < g.n_chunks / 8; b++) {
      const uint8_t* meta = panel + meta_of_block(g, b, meta_bytes);
      const uint8_t* codes = panel + codes_of_block(g, b, kGridStrips * strip_bytes);
      __m256i acc[4];
      for (int v = 0; v < 4; v++) acc[v] = _mm256_setzero_si256();
      for (size_t s = 0; s < kGridStrips; s++)
        add_strip<w>(g.grid, codes + s * strip_bytes, meta + scale_bytes + s * lines,
                     g.act + 256 * b + 64 * s, acc);
      const I sum{_mm256_hadd_epi32(acc[0], acc[1]), _mm256_hadd_epi32(acc[2], acc[3])};
      y = fold_sum(y, sum, load_scale(meta, g.f32_scales), F::set1(g.a_scale[b]));
    }
    store_rows(g.out + 16 * p, g.n_rows - 16 * p, y);
  }
}

inline bool has_lowest(const int8_t* act, size_t n_chunks) {
  __m256i least = _mm256_setzero_si256();
  for (size_t c = 0; c < n_chunks; c++)
    least = _mm256_min_epi8(least, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(act + 32 * c)));
  return _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_set1_epi8(-128))) != 0;
}

template <QGemmVariant w>
  requires(w.index != 0)
void run(const QGemmArgs& g) {
  if (g.n_tokens == 1 && !has_lowest(g.act, g.n_chunks)) return one_token<w>(g);
  unpacked_passes<w>(g, [&](const uint8_t* codes, size_t n_chunks, uint8_t* bytes) {
    look_up<w>(g.grid, codes, n_chunks, bytes);
  });
}

}  // namespace qgemm
}  // namespace

#include "kernels/generic/grid.inc"
