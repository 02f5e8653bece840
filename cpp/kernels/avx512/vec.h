// Vectors of the avx512 kernels: one 512-bit register each; VNNI for the integer dot product.
#pragma once

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__) || \
    !defined(__AVX512VNNI__)
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

constexpr int kTile = 16;       // accumulators of a qgemm tile: half of the 32 registers
constexpr int kDotBias8 = 0;    // dot4 takes unsigned codes of 8 bits as they are
constexpr bool kPlanes = true;  // and there is dot(), which does too

struct I {
  __m512i v;
  static I zero() { return {_mm512_setzero_si512()}; }
  static I set1(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static I load_i8(const int8_t* p) {
    return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static I load_u8(const uint8_t* p) {
    return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  void store(int32_t* p) const { _mm512_storeu_si512(p, v); }
  friend I operator+(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
  friend I operator-(I a, I b) { return {_mm512_sub_epi32(a.v, b.v)}; }
  friend I operator*(I a, I b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
  friend I operator&(I a, I b) { return {_mm512_and_si512(a.v, b.v)}; }
};
template <int n>
inline I shift_right(I a) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
inline I shift_right_signed(I a) {
  return {_mm512_srai_epi32(a.v, n)};
}
/// For multiply_add16: `a` of 16 significant bits.
inline I low16(I a) { return {_mm512_and_si512(a.v, _mm512_set1_epi32(0xffff))}; }
/// acc + a*x; a from low16() or not negative, |x| < 2^15.
inline I multiply_add16(I acc, I a, int32_t x) {
  return {_mm512_dpwssd_epi32(acc.v, a.v, _mm512_set1_epi32(x))};
}
template <int mul>
inline I scaled(I a) {
  return mul == 1 ? a : I{_mm512_slli_epi32(a.v, 1)};
}

struct F {
  __m512 v;
  static F zero() { return {_mm512_setzero_ps()}; }
  static F set1(float x) { return {_mm512_set1_ps(x)}; }
  static F load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static F load_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static F load_bf16(const uint16_t* p) {
    const __m512i x = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(x, 16))};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  friend F operator+(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F operator-(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend F operator*(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend F operator/(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
};
inline F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }  // a > b ? a : b
inline F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }  // a < b ? a : b
inline F abs(F a) { return {_mm512_abs_ps(a.v)}; }
inline F sqrt(F a) { return {_mm512_sqrt_ps(a.v)}; }
inline F rne(F a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline F to_float(I a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline I to_int(F a) { return {_mm512_cvtps_epi32(a.v)}; }
/// The lanes of a, within int8, as bytes.
inline void store_i8(I a, int8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
/// out[i] = v[i]'s 16 lanes added as the lane rule's tree.
inline void sum_trees(const F v[4], float* out) {
  const auto eight = [](F a, F b) {  // +8: a in the low half, b in the high
    return _mm512_add_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xee));
  };
  const __m512 ab = eight(v[0], v[1]), cd = eight(v[2], v[3]);
  __m512 x = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));  // +4
  x = _mm512_add_ps(x, _mm512_permute_ps(x, 0x4e));
  x = _mm512_add_ps(x, _mm512_permute_ps(x, 0xb1));
  const __m512i firsts = _mm512_castsi128_si512(_mm_set_epi32(12, 8, 4, 0));  // of the quarters
  _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, x)));
}
inline F exp2i(F n) {
  return {_mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}

struct B {
  __m512i v;
  static B zero() { return {_mm512_setzero_si512()}; }
  static B load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  void store(uint8_t* p) const { _mm512_storeu_si512(p, v); }
  friend B operator|(B a, B b) { return {_mm512_or_si512(a.v, b.v)}; }
  friend B operator&(B a, B b) { return {_mm512_and_si512(a.v, b.v)}; }
  friend B operator^(B a, B b) { return {_mm512_xor_si512(a.v, b.v)}; }
};
inline B add_bytes(B a, B b) { return {_mm512_add_epi8(a.v, b.v)}; }
inline B add_saturated(B a, B b) { return {_mm512_adds_epu8(a.v, b.v)}; }
inline bool any_full(B a) { return _mm512_cmpeq_epi8_mask(a.v, _mm512_set1_epi8(-1)) != 0; }
/// |x| of signed bytes, and all ones where x is negative.
inline B magnitude(B x) { return {_mm512_abs_epi8(x.v)}; }
inline B sign_mask(B x) { return {_mm512_movm_epi8(_mm512_movepi8_mask(x.v))}; }
/// `count` bits of each byte starting at bit `from`, moved to bit `to`; the other bits zero.
template <int from, int count, int to>
inline B move_bits(B a) {
  const __m512i mask = _mm512_set1_epi8(char(((1 << count) - 1) << to));
  if constexpr (from > to) return {_mm512_and_si512(_mm512_srli_epi16(a.v, from - to), mask)};
  if constexpr (from < to) return {_mm512_and_si512(_mm512_slli_epi16(a.v, to - from), mask)};
  return {_mm512_and_si512(a.v, mask)};
}
inline B broadcast16(const uint8_t* table) {
  return {_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)))};
}
inline B lookup16(B table, B index) { return {_mm512_shuffle_epi8(table.v, index.v)}; }

/// acc + code * activation of one quad.
inline I dot(I acc, B q, const int8_t* a) {
  int32_t quad;
  std::memcpy(&quad, a, 4);
  return {_mm512_dpbusd_epi32(acc.v, q.v, _mm512_set1_epi32(quad))};
}

/// acc[p] += sum over 4 quads of code * activation; lane r takes bytes 4r..4r+3 of each quad of panel p with
/// a[4i..4i+3].
template <int max_code, int P>
inline void dot4(I acc[P], const B q[P][4], const int8_t* a) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    int32_t quad;
    std::memcpy(&quad, a + 4 * i, 4);
    const __m512i x = _mm512_set1_epi32(quad);
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) acc[p].v = _mm512_dpbusd_epi32(acc[p].v, q[p][i].v, x);
  }
}

}  // namespace
