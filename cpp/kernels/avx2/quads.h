// What qgemm_unpacked.inl.h needs of an instruction set, for avx2: vpmaddubsw, its 16-bit sums of pairs
// widened only when the next quad could overflow them. Per 32 products then one vpmaddubsw and one vpaddw.
#pragma once
#define STERNA_QUADS  // not those of generic/quads.inl.h

#include "kernels/avx2/vec.h"

namespace {
namespace qgemm {

constexpr int kTokenTile = 4;  // 8 of the 16 registers hold sums

/// Quads whose sums fit: a 16-bit lane takes two products of at most max_code * 128 per quad.
constexpr int max_quads(int max_code) { return 32767 / (2 * 128 * max_code); }

/// The activations of T tokens. GCC is kept from seeing their distance: it would rather keep a sum of each
/// token's and each quad's offset in memory than add a constant to an address.
template <int T>
struct Tokens {
  const int8_t* x[T];
  __attribute__((always_inline)) Tokens(const int8_t* act, size_t stride) {
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      x[t] = act + size_t(t) * stride;
      asm("" : "+r"(x[t]));
    }
  }
  /// Four activations of token t in each lane.
  inline __attribute__((always_inline)) __m256i quad(int t, size_t k) const {
    int32_t four;
    std::memcpy(&four, x[t] + k, 4);
    return _mm256_set1_epi32(four);
  }
};

/// s[t] += sum over `n` quads at `codes` for token t, exact for n <= max_quads.
template <int n, int T>
inline __attribute__((always_inline)) void add_quads(__m256i s[T][2], const uint8_t* codes,
                                                     const Tokens<T>& tokens, size_t k) {
#pragma GCC unroll 8
  for (int q = 0; q < n; q++) {
    const __m256i c0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + 64 * q));
    const __m256i c1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + 64 * q + 32));
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      const __m256i quad = tokens.quad(t, k + 4 * size_t(q));
      s[t][0] = add16(s[t][0], _mm256_maddubs_epi16(c0, quad));
      s[t][1] = add16(s[t][1], _mm256_maddubs_epi16(c1, quad));
    }
  }
}

/// acc[t] += factor * the sum over one quad, of codes of 7 bits: two quads' sums would not fit 16 bits.
template <int T>
inline __attribute__((always_inline)) void add_widened(I acc[T], const uint8_t* codes,
                                                       const Tokens<T>& tokens, size_t k, __m256i f0,
                                                       __m256i f1) {
  const __m256i c0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes));
  const __m256i c1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes + 32));
#pragma GCC unroll 8
  for (int t = 0; t < T; t++) {
    const __m256i quad = tokens.quad(t, k);
    acc[t].lo = add32(acc[t].lo, _mm256_madd_epi16(_mm256_maddubs_epi16(c0, quad), f0));
    acc[t].hi = add32(acc[t].hi, _mm256_madd_epi16(_mm256_maddubs_epi16(c1, quad), f1));
  }
}

/// Two numbers of 16 bits per row, the operand of vpmaddwd.
struct Pair {
  __m256i lo, hi;
  Pair() = default;
  Pair(I a, I b) : lo(pack(a.lo, b.lo)), hi(pack(a.hi, b.hi)) {}
  static __m256i pack(__m256i a, __m256i b) {
    return _mm256_or_si256(_mm256_and_si256(a, _mm256_set1_epi32(0xffff)), _mm256_slli_epi32(b, 16));
  }
};
/// p's first * xy[0] + its second * xy[1]; xy fit 16 bits.
inline I dot2(const Pair& p, const int32_t* xy) {
  const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(xy));
  const __m256i both = _mm256_broadcastd_epi32(_mm_packs_epi32(x, x));
  return {_mm256_madd_epi16(p.lo, both), _mm256_madd_epi16(p.hi, both)};
}

/// Stores the bytes of four quads where dot_quads() reads them.
template <int max_code>
inline void store_quads(uint8_t* p, const B q[4]) {
  for (int i = 0; i < 4; i++) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(p + 64 * i), q[i].lo);
    _mm256_store_si256(reinterpret_cast<__m256i*>(p + 64 * i + 32), q[i].hi);
  }
}

/// acc[t] += factor * (sum over the n_quads at `codes` of code * activation of token t from k on); n_quads is
/// a multiple of `granule`, 4 or 8; `factor` is given twice.
template <int max_code, int T, int granule>
inline __attribute__((always_inline)) void dot_quads(I acc[T], const uint8_t* codes, size_t n_quads,
                                                     const Tokens<T>& tokens, size_t k, const Pair& factor) {
  static_assert(max_code < 128);  // codes of 8 bits: wide.cpp
  const __m256i f0 = factor.lo, f1 = factor.hi;
  if constexpr (max_code > 63) {
    for (size_t q = 0; q < n_quads; q++) add_widened<T>(acc, codes + 64 * q, tokens, k + 4 * q, f0, f1);
  } else {
    constexpr int fit = max_quads(max_code);
    constexpr int n = fit < 4 ? 2 : fit < granule ? 4 : granule;  // quads of a step
    constexpr size_t most = fit / n * n;                          // quads between two widenings
    for (size_t from = 0; from < n_quads; from += most) {
      const size_t to = n_quads - from < most ? n_quads : from + most;
      __m256i s[T][2];
      for (int t = 0; t < T; t++) s[t][0] = s[t][1] = _mm256_setzero_si256();
      if constexpr (most == n) {
        add_quads<n, T>(s, codes + 64 * from, tokens, k + 4 * from);
      } else {
        for (size_t q = from; q < to; q += n) add_quads<n, T>(s, codes + 64 * q, tokens, k + 4 * q);
      }
#pragma GCC unroll 8
      for (int t = 0; t < T; t++) {
        acc[t].lo = _mm256_add_epi32(acc[t].lo, _mm256_madd_epi16(s[t][0], f0));
        acc[t].hi = _mm256_add_epi32(acc[t].hi, _mm256_madd_epi16(s[t][1], f1));
      }
    }
  }
}

}  // namespace qgemm
}  // namespace
