// Matmul of several tokens for neon: smlal on codes unpacked once, its 16-bit sums widened only when the next
// quad could overflow them. The loop of 2-bit codes: 25 instructions for 128 products; llvm-mca 16 for
// cortex-a72: 8.0 products a cycle, where the generic tile, which widens every fourth quad, has 5.4.
#define STERNA_ISA neon
#define STERNA_QUADS  // dot_quads() and what goes with it are here
#include "kernels/neon/vec.h"
// its Pair, on those vectors
#include "kernels/generic/pair.inl.h"
#include "kernels/generic/tokens.inl.h"

namespace {
namespace qgemm {

constexpr int kTokenTile = 2;  // 16 of the 32 registers hold sums

/// Stores the bytes of four quads where dot_quads() reads them; codes of 8 bits less 128 (kDotBias8).
template <int max_code>
inline void store_quads(uint8_t* p, const B q[4]) {
  for (int i = 0; i < 4; i++)
    for (int r = 0; r < 4; r++)
      vst1q_u8(p + 64 * i + 16 * r, max_code == 255 ? veorq_u8(q[i].v[r], vdupq_n_u8(0x80)) : q[i].v[r]);
}
inline int8x16_t load_codes(const uint8_t* p) { return vreinterpretq_s8_u8(vld1q_u8(p)); }

/// Quads whose sums fit: a 16-bit lane takes one product of at most max_code * 128 per quad.
constexpr int max_quads(int max_code) { return 32767 / (128 * max_code); }

/// acc[t] += factor * (sum over the n_quads at `codes` of code * activation of token t from k on); n_quads is
/// a multiple of `granule`, 4 or 8; `factor` is given twice.
template <int max_code, int T, int granule>
inline void dot_quads(I acc[T], const uint8_t* codes, size_t n_quads, const Tokens<T>& tokens, size_t k,
                      const Pair& factor) {
  const auto quad = [&](int t, size_t q) {
    int32_t x;
    std::memcpy(&x, tokens.at(t, k + 4 * q), 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(x));
  };
  // s[t][2r] and s[t][2r + 1] are the products' sums for rows 4r, 4r+1 and 4r+2, 4r+3, in four or two parts.
  const auto add = [&](int t, int r, int32x4_t low, int32x4_t high) {
    acc[t].v[r] = vmlaq_s32(acc[t].v[r], vpaddq_s32(low, high), factor.first.v[r]);
  };
  if constexpr (max_code > 63) {
    int32x4_t s[T][8];
    for (int t = 0; t < T; t++)
      for (int i = 0; i < 8; i++) s[t][i] = vdupq_n_s32(0);
    for (size_t q = 0; q < n_quads; q++) {
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) {
        const int8x16_t c = load_codes(codes + 64 * q + 16 * r);
#pragma GCC unroll 4
        for (int t = 0; t < T; t++) {
          const int8x16_t x = quad(t, q);
          s[t][2 * r] = vpadalq_s16(s[t][2 * r], vmull_s8(vget_low_s8(c), vget_low_s8(x)));
          s[t][2 * r + 1] = vpadalq_s16(s[t][2 * r + 1], vmull_high_s8(c, x));
        }
      }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; t++)
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) add(t, r, s[t][2 * r], s[t][2 * r + 1]);
  } else {
    constexpr size_t fit = max_quads(max_code), most = fit < granule ? fit : fit / granule * granule;
    static_assert(most > 0);
    for (size_t from = 0; from < n_quads; from += most) {
      const size_t to = n_quads - from < most ? n_quads : from + most;
      int16x8_t s[T][8];
      for (int t = 0; t < T; t++)
        for (int i = 0; i < 8; i++) s[t][i] = vdupq_n_s16(0);
      for (size_t q = from; q < to; q++) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
          const int8x16_t c = load_codes(codes + 64 * q + 16 * r);
#pragma GCC unroll 4
          for (int t = 0; t < T; t++) {
            const int8x16_t x = quad(t, q);
            s[t][2 * r] = vmlal_s8(s[t][2 * r], vget_low_s8(c), vget_low_s8(x));
            s[t][2 * r + 1] = vmlal_high_s8(s[t][2 * r + 1], c, x);
          }
        }
      }
#pragma GCC unroll 4
      for (int t = 0; t < T; t++)
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) add(t, r, vpaddlq_s16(s[t][2 * r]), vpaddlq_s16(s[t][2 * r + 1]));
    }
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
