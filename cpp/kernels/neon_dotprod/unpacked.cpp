// Matmul of several tokens for neon_dotprod: sdot on codes unpacked once. The loop of 2-bit codes: 88
// instructions for 1024 products; llvm-mca 16: 29 (cortex-a76) and 30 (cortex-x3) products a cycle, the
// generic tile 14 and 19.
#define STERNA_ISA neon_dotprod
#define STERNA_QUADS  // dot_quads() and what goes with it are here
#include "kernels/neon_dotprod/vec.h"
// its Pair, on those vectors
#include "kernels/generic/pair.inl.h"
#include "kernels/generic/tokens.inl.h"

namespace {
namespace qgemm {

constexpr int kTokenTile = 4;  // 16 of the 32 registers hold sums

/// Stores the bytes of four quads where dot_quads() reads them; codes of 8 bits less 128 (kDotBias8).
template <int max_code>
inline void store_quads(uint8_t* p, const B q[4]) {
  for (int i = 0; i < 4; i++)
    for (int r = 0; r < 4; r++)
      vst1q_u8(p + 64 * i + 16 * r, max_code == 255 ? veorq_u8(q[i].v[r], vdupq_n_u8(0x80)) : q[i].v[r]);
}
inline int8x16_t load_codes(const uint8_t* p) { return vreinterpretq_s8_u8(vld1q_u8(p)); }

/// acc[t] += factor * (sum over the n_quads at `codes` of code * activation of token t from k on); n_quads is
/// a multiple of `granule`, 4 or 8; `factor` is given twice.
template <int max_code, int T, int granule>
inline void dot_quads(I acc[T], const uint8_t* codes, size_t n_quads, const Tokens<T>& tokens, size_t k,
                      const Pair& factor) {
  int32x4_t s[T][4];
  for (int t = 0; t < T; t++)
    for (int r = 0; r < 4; r++) s[t][r] = vdupq_n_s32(0);
  for (size_t q = 0; q < n_quads; q += 4) {
    int8x16_t x[T];
    for (int t = 0; t < T; t++) x[t] = vld1q_s8(tokens.at(t, k + 4 * q));
    const auto quad = [&](auto i) {
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) {
        const int8x16_t c = load_codes(codes + 64 * (q + i) + 16 * r);
#pragma GCC unroll 4
        for (int t = 0; t < T; t++) s[t][r] = vdotq_laneq_s32(s[t][r], c, x[t], i);
      }
    };
    quad(std::integral_constant<int, 0>{}), quad(std::integral_constant<int, 1>{});
    quad(std::integral_constant<int, 2>{}), quad(std::integral_constant<int, 3>{});
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; t++)
    for (int r = 0; r < 4; r++) acc[t].v[r] = vmlaq_s32(acc[t].v[r], s[t][r], factor.first.v[r]);
}

}  // namespace qgemm
}  // namespace

// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm_unpacked.inc"
#include "kernels/generic/qgemm_unpacked8.inc"
