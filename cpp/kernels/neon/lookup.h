// Matmul by lookup for the NEON sets: a line is loaded with its bytes in order of j (rows of one group side
// by side), tbl looks up 16 rows of a group, and widening additions sum them.
// Cycles of one token and 512 weights on cortex-a76 (cortex-x2) by llvm-mca 16:
//   1 bit:  28 (18), by sdot 75 (53), by smlal 119 (103)
//   2 bits: 56 (36), by sdot 40 (40), by smlal 76 (78)
#pragma once
#define STERNA_NIBBLES  // not those of generic/nibbles.inl.h

#include "kernels/neon/vec.h"

namespace {
namespace qgemm {

constexpr int kLookupPanels = 1;
constexpr size_t kSpanLines = 8;  // 8 lookups each of at most 768: sums fit 16 bits

struct Streams {  // avx2's choice, not measured
  static constexpr size_t kPanels = 4;
  static constexpr bool kPrefetch = true;
  static constexpr size_t kMaxVectors = 1 << 30;
};

struct Sums {
  uint16x8_t lo, hi;  // rows 0-7, 8-15
  static Sums zero() { return {vdupq_n_u16(0), vdupq_n_u16(0)}; }
  void add(B x) {
    for (int j = 0; j < 4; j++) lo = vaddw_u8(lo, vget_low_u8(x.v[j])), hi = vaddw_high_u8(hi, x.v[j]);
  }
  void add_high(B x) {
    for (int j = 0; j < 4; j++) {
      lo = vaddq_u16(lo, vshll_n_u8(vget_low_u8(x.v[j]), 8));
      hi = vaddq_u16(hi, vshll_high_n_u8(x.v[j], 8));
    }
  }
  I total() const {
    const auto wide = [](uint16x4_t x) { return vreinterpretq_s32_u32(vmovl_u16(x)); };
    return {
        {wide(vget_low_u16(lo)), wide(vget_high_u16(lo)), wide(vget_low_u16(hi)), wide(vget_high_u16(hi))}};
  }
};
/// Puts byte 4r + j at 16j + r.
inline B load_groups(const uint8_t* line) {
  const uint8x16x4_t x = vld4q_u8(line);
  return {{x.val[0], x.val[1], x.val[2], x.val[3]}};
}
/// Of each byte, nibble h.
template <int h>
inline B table_index(B line) {
  return move_bits<4 * h, 4, 0>(line);
}
inline B look_up(B tables, B index) { return lookup16(tables, index); }

}  // namespace qgemm
}  // namespace
