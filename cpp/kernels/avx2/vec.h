// Vectors of the avx2 kernels: two 256-bit registers each. Integer products by vpmaddubsw, whose 16-bit sums
// cannot saturate for codes of 6 bits or less; 8-bit codes are split in two parts that cannot either.
#pragma once

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

// Accumulators of a qgemm tile, two of the 16 registers each. With vpdpbusd, which needs no other registers,
// six beat four and eight in nearly all kernels, although some codes then live on the stack.
#ifdef __AVXVNNI__
constexpr int kTile = 6;
#else
constexpr int kTile = 4;
#endif
constexpr int kDotBias8 = 0;  // dot4 takes unsigned codes of 8 bits as they are
constexpr bool kPlanes = false;

struct I {
  __m256i lo, hi;
  static I zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I set1(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static I load_i8(const int8_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))};
  }
  static I load_u8(const uint8_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_cvtepu8_epi32(x), _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8))};
  }
  void store(int32_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), hi);
  }
  friend I operator+(I a, I b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
  friend I operator-(I a, I b) { return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
  friend I operator*(I a, I b) { return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)}; }
  friend I operator&(I a, I b) { return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
};
template <int n>
inline I shift_right(I a) {
  return {_mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n)};
}
template <int n>
inline I shift_right_signed(I a) {
  return {_mm256_srai_epi32(a.lo, n), _mm256_srai_epi32(a.hi, n)};
}
/// For multiply_add16: `a` of 16 significant bits.
inline I low16(I a) { return a & I::set1(0xffff); }
/// acc + a*x; a from low16() or not negative, |x| < 2^15.
inline I multiply_add16(I acc, I a, int32_t x) {
  const __m256i xs = _mm256_set1_epi32(x);
  return acc + I{_mm256_madd_epi16(a.lo, xs), _mm256_madd_epi16(a.hi, xs)};
}
template <int mul>
inline I scaled(I a) {
  return mul == 1 ? a : I{_mm256_slli_epi32(a.lo, 1), _mm256_slli_epi32(a.hi, 1)};
}

struct F {
  __m256 lo, hi;
  static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
  }
  static F load_bf16(const uint16_t* p) {
    const auto half = [](const uint16_t* q) {
      const __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q)));
      return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
    };
    return {half(p), half(p + 8)};
  }
  void store(float* p) const { _mm256_storeu_ps(p, lo), _mm256_storeu_ps(p + 8, hi); }
  friend F operator+(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  friend F operator-(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  friend F operator*(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  friend F operator/(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
};
inline F fma(F a, F b, F c) { return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)}; }
inline F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }  // a > b ? a : b
inline F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }  // a < b ? a : b
inline F abs(F a) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(a.lo, mask), _mm256_and_ps(a.hi, mask)};
}
inline F sqrt(F a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
inline F rne(F a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, mode), _mm256_round_ps(a.hi, mode)};
}
inline F to_float(I a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
inline I to_int(F a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
/// The lanes of a, within int8, as bytes.
inline void store_i8(I a, int8_t* p) {
  const auto words = [](__m256i x) {
    return _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  };
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words(a.lo), words(a.hi)));
}
/// out[i] = v[i]'s 16 lanes added as the lane rule's tree.
inline void sum_trees(const F v[4], float* out) {
  const auto eight = [](F a) { return _mm256_add_ps(a.lo, a.hi); };
  const auto four = [](__m256 a, __m256 b) {  // +4: a in the low half, b in the high
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  };
  const __m256 x = four(eight(v[0]), eight(v[1])), y = four(eight(v[2]), eight(v[3]));
  const __m256 z = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee));
  const __m256 s = _mm256_hadd_ps(z, z);  // 0 2 . . | 1 3 . .
  _mm_storeu_ps(out, _mm_unpacklo_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
inline F exp2i(F n) {
  const auto half = [](__m256 x) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127)), 23));
  };
  return {half(n.lo), half(n.hi)};
}

struct B {
  __m256i lo, hi;
  static B zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static B load(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  void store(uint8_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), hi);
  }
  friend B operator|(B a, B b) { return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)}; }
  friend B operator&(B a, B b) { return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)}; }
  friend B operator^(B a, B b) { return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
};
inline B add_bytes(B a, B b) { return {_mm256_add_epi8(a.lo, b.lo), _mm256_add_epi8(a.hi, b.hi)}; }
inline B add_saturated(B a, B b) { return {_mm256_adds_epu8(a.lo, b.lo), _mm256_adds_epu8(a.hi, b.hi)}; }
inline bool any_full(B a) {
  return _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(a.lo, a.hi), _mm256_set1_epi8(-1))) != 0;
}
/// |x| of signed bytes, and all ones where x is negative.
inline B magnitude(B x) { return {_mm256_abs_epi8(x.lo), _mm256_abs_epi8(x.hi)}; }
inline B sign_mask(B x) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_cmpgt_epi8(zero, x.lo), _mm256_cmpgt_epi8(zero, x.hi)};
}
/// `count` bits of each byte starting at bit `from`, moved to bit `to`; the other bits zero.
template <int from, int count, int to>
inline B move_bits(B a) {
  const __m256i mask = _mm256_set1_epi8(char(((1 << count) - 1) << to));
  const auto half = [&](__m256i x) {
    if constexpr (from > to) return _mm256_and_si256(_mm256_srli_epi16(x, from - to), mask);
    if constexpr (from < to) return _mm256_and_si256(_mm256_slli_epi16(x, to - from), mask);
    return _mm256_and_si256(x, mask);
  };
  return {half(a.lo), half(a.hi)};
}
inline B broadcast16(const uint8_t* table) {
  const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {t, t};
}
inline B lookup16(B table, B index) {
  return {_mm256_shuffle_epi8(table.lo, index.lo), _mm256_shuffle_epi8(table.hi, index.hi)};
}

/// s + x by 16 and by 32 bits. In assembly because GCC 12 otherwise keeps old and new sums of a whole tile
/// apart, has too few registers for both, and the loop then waits for a sum to pass through memory: half the
/// speed.
inline __m256i add16(__m256i s, __m256i x) {
  asm("vpaddw %1, %0, %0" : "+x"(s) : "x"(x));
  return s;
}
inline __m256i add32(__m256i s, __m256i x) {
  asm("vpaddd %1, %0, %0" : "+x"(s) : "x"(x));
  return s;
}

/// acc[p] += sum over 4 quads of code * activation; lane r takes bytes 4r..4r+3 of each quad of panel p with
/// a[4i..4i+3].
template <int max_code, int P>
inline __attribute__((always_inline)) void dot4(I acc[P], const B q[P][4], const int8_t* a) {
#ifdef __AVXVNNI__
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    int32_t quad;
    std::memcpy(&quad, a + 4 * i, 4);
    const __m256i x = _mm256_set1_epi32(quad);
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) {
      acc[p].lo = _mm256_dpbusd_avx_epi32(acc[p].lo, q[p][i].lo, x);
      acc[p].hi = _mm256_dpbusd_avx_epi32(acc[p].hi, q[p][i].hi, x);
    }
  }
#else
  __m256i quad[4];
  for (int i = 0; i < 4; i++) {
    int32_t x;
    std::memcpy(&x, a + 4 * i, 4);
    quad[i] = _mm256_set1_epi32(x);
  }
  const __m256i ones = _mm256_set1_epi16(1);
  const auto half = [&](__m256i s, __m256i q0, __m256i q1, __m256i q2, __m256i q3) {
    const auto widen = [&](__m256i x) { s = _mm256_add_epi32(s, _mm256_madd_epi16(x, ones)); };
    if constexpr (max_code == 255) {
      // code = (code & 127) + (code & 128): |pair sums| <= 127*128*2 and <= 128*128*2 with the sign that
      // fits.
      const __m256i low = _mm256_set1_epi8(127);
      const __m256i qs[4] = {q0, q1, q2, q3};
      for (int i = 0; i < 4; i++) {
        widen(_mm256_maddubs_epi16(_mm256_and_si256(qs[i], low), quad[i]));
        widen(_mm256_maddubs_epi16(_mm256_andnot_si256(low, qs[i]), quad[i]));
      }
    } else if constexpr (max_code > 63) {  // a pair sum fits, two of them do not
      static_assert(max_code * 128 * 2 <= 32767);
      widen(_mm256_maddubs_epi16(q0, quad[0])), widen(_mm256_maddubs_epi16(q1, quad[1]));
      widen(_mm256_maddubs_epi16(q2, quad[2])), widen(_mm256_maddubs_epi16(q3, quad[3]));
    } else {
      const __m256i p01 =
          _mm256_add_epi16(_mm256_maddubs_epi16(q0, quad[0]), _mm256_maddubs_epi16(q1, quad[1]));
      const __m256i p23 =
          _mm256_add_epi16(_mm256_maddubs_epi16(q2, quad[2]), _mm256_maddubs_epi16(q3, quad[3]));
      static_assert(max_code * 128 * 4 <= 32767);
      if constexpr (max_code * 128 * 8 <= 32767) {
        widen(_mm256_add_epi16(p01, p23));
      } else {
        widen(p01);
        widen(p23);
      }
    }
    return s;
  };
  for (int p = 0; p < P; p++) {
    acc[p].lo = half(acc[p].lo, q[p][0].lo, q[p][1].lo, q[p][2].lo, q[p][3].lo);
    acc[p].hi = half(acc[p].hi, q[p][0].hi, q[p][1].hi, q[p][2].hi, q[p][3].hi);
  }
#endif
}

}  // namespace
