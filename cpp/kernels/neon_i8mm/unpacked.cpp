// Matmul of several tokens for neon_i8mm: smmla, two rows by two tokens by eight k, on codes unpacked once.
// The loop of 2-bit codes: 31 instructions for 512 products; llvm-mca 16 for cortex-x3: 39 products a cycle,
// sdot 30.
#define STERNA_ISA neon_i8mm
#define STERNA_QUADS  // dot_quads() and what goes with it are here
#include "kernels/neon_i8mm/vec.h"
// its Pair, on those vectors
#include "kernels/generic/pair.inl.h"
#include "kernels/generic/tokens.inl.h"

namespace {
namespace qgemm {

constexpr int kTokenTile = 4;  // 16 of the 32 registers hold sums

/// Stores four quads as smmla takes them, eight k of a row side by side: bytes 16i .. 16i+15 of the first
/// half are rows 2i, 2i+1 with the k of quads 0 and 1, the second half those of 2 and 3. Codes of 8 bits less
/// 128 (kDotBias8).
template <int max_code>
inline void store_quads(uint8_t* p, const B q[4]) {
  const auto words = [](uint8x16_t x) {
    return vreinterpretq_u32_u8(max_code == 255 ? veorq_u8(x, vdupq_n_u8(0x80)) : x);
  };
  for (int h = 0; h < 2; h++)
    for (int r = 0; r < 4; r++, p += 32) {
      const uint32x4_t a = words(q[2 * h].v[r]), b = words(q[2 * h + 1].v[r]);
      vst1q_u8(p, vreinterpretq_u8_u32(vzip1q_u32(a, b)));
      vst1q_u8(p + 16, vreinterpretq_u8_u32(vzip2q_u32(a, b)));
    }
}

/// acc[t] += factor * (sum over the n_quads at `codes` of code * activation of token t from k on); n_quads is
/// a multiple of `granule`, 4 or 8; `factor` is given twice.
template <int max_code, int T, int granule>
inline void dot_quads(I acc[T], const uint8_t* codes, size_t n_quads, const Tokens<T>& tokens, size_t k,
                      const Pair& factor) {
  constexpr int pairs = (T + 1) / 2;  // the last token of an odd tile is its own partner
  int32x4_t s[pairs][8];              // rows 2i, 2i+1 by both tokens
  for (int p = 0; p < pairs; p++)
    for (int i = 0; i < 8; i++) s[p][i] = vdupq_n_s32(0);
  for (size_t q = 0; q < n_quads; q += 2) {
    int8x16_t x[pairs];
    for (int p = 0; p < pairs; p++) {
      const int last = 2 * p + 1 < T ? 2 * p + 1 : 2 * p;
      x[p] = vcombine_s8(vld1_s8(tokens.at(2 * p, k + 4 * q)), vld1_s8(tokens.at(last, k + 4 * q)));
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const int8x16_t c = vreinterpretq_s8_u8(vld1q_u8(codes + 64 * q + 16 * i));
#pragma GCC unroll 2
      for (int p = 0; p < pairs; p++) s[p][i] = vmmlaq_s32(s[p][i], c, x[p]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; t++)
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
      const int32x4_t a = s[t / 2][2 * r], b = s[t / 2][2 * r + 1];
      acc[t].v[r] = vmlaq_s32(acc[t].v[r], t % 2 ? vuzp2q_s32(a, b) : vuzp1q_s32(a, b), factor.first.v[r]);
    }
}

}  // namespace qgemm
}  // namespace

// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm_unpacked.inc"
#include "kernels/generic/qgemm_unpacked8.inc"
