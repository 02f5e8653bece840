// What VBMI adds to the vectors of avx512: decoding of ternary digits by byte permutation.
#pragma once

#ifndef __AVX512VBMI__
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include "kernels/avx512/vec.h"
#include "kernels/contract/trits.h"

namespace {

/// Digits 0..3 of each byte in its bit pairs, and digit 4 in its bits 6 and 7 (the other bits zero).
struct Trits {
  B four, fifth;
};
// Measured on a matrix of 400 MB (Zen 4, Gweights/s with one / two threads):
//   2-bit lines                                                         121 / 130-150
//   this code                                                           118 / 160-190
//   base-3 digits by two comparisons and a 128-entry permutation     90-100 / 150-200
//   TQ1_0's multiplications                                              56 / 105
inline Trits decode_trits(B line) {
  using sterna::kernels::kTritTables;
  const __m512i low = _mm512_load_si512(kTritTables.low), high = _mm512_load_si512(kTritTables.high),
                high_fifth = _mm512_load_si512(kTritTables.high_fifth);
  const __mmask64 is_high = _mm512_cmpge_epu8_mask(line.v, _mm512_set1_epi8(char(192)));
  return {{_mm512_mask_permutexvar_epi8(_mm512_permutexvar_epi8(line.v, low), is_high, line.v, high)},
          {_mm512_mask_permutexvar_epi8(_mm512_and_si512(line.v, _mm512_set1_epi8(char(192))), is_high,
                                        line.v, high_fifth)}};
}

}  // namespace
