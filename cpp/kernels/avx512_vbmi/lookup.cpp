// Matmul by lookup for avx512_vbmi: vpermb looks up 64 groups at once, in four tables of 16 entries side by
// side (byte 4r+j of a line in table j), and vpdpbusd adds the four of a row. 256 one-bit products are two
// instructions, where vpdpbusd alone makes 64.
#define STERNA_ISA avx512_vbmi
#define STERNA_NIBBLES  // what goes with Sums is here
#include "kernels/avx512_vbmi/vec.h"

namespace {
namespace qgemm {

constexpr int kLookupPanels = 2;
constexpr size_t kSpanLines = 32;

/// Measured on Zen 4, Gweights/s: 170 to 200 while tables take less than 12 KB; with more 115 to 130, with 4
/// panels 150, products 163.
struct Streams {
  static constexpr size_t kPanels = 2;
  static constexpr bool kPrefetch = false;
  static constexpr size_t kMaxVectors = 12 * 1024 / 64;
};

struct Sums {
  __m512i v;
  static Sums zero() { return {_mm512_setzero_si512()}; }
  void add(B x) { v = _mm512_dpbusd_epi32(v, x.v, _mm512_set1_epi8(1)); }
  void add_high(B x) {  // 256 * x, x at most 3
    v = _mm512_add_epi32(
        v, _mm512_slli_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), x.v, _mm512_set1_epi8(1)), 8));
  }
  I total() const { return {v}; }
};
inline B load_groups(const uint8_t* line) { return B::load(line); }
/// Of each byte, nibble h and the table.
template <int h>
inline B table_index(B line) {
  const __m512i table = _mm512_set1_epi32(0x30201000);
  return {_mm512_ternarylogic_epi64(h ? _mm512_srli_epi16(line.v, 4) : line.v, _mm512_set1_epi8(15), table,
                                    0xea)};  // a & b | c
}
inline B look_up(B tables, B index) { return {_mm512_permutexvar_epi8(index.v, tables.v)}; }

}  // namespace qgemm
}  // namespace

// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the list, defined from that source
#include "kernels/generic/lookup.inc"
