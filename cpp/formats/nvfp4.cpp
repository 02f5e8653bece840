// NVFP4 (id 40): floats of 4 bits (E2M1) with a scale, also a float (E4M3), per 16.
//
// Layout  36 bytes per 64 elements: s u8[4] [0], qs[32] [4].
// Order   byte 8i + j of qs: element 16i + j in the low nibble, element 16i + 8 + j in the high one.
// Value   scale(s[i]) / 2 * (kValues[code] - 16): twice the float, half the scale, which f16 holds exactly.
//         scale(s) is (8 + m) * 2^(e - 10), for e = 0 m * 2^-9, with e = bits 3 to 6 of s, m = bits 0 to 2;
//         of 7F, the format's NaN, it is 0. Bit 7 is ignored, but FF is no NaN: as in llama.cpp.
// Fold    activations int8 in blocks of 32; isum = sum (kValues[code] - 16) * a over 16, |isum| <= 2^15;
//         per sub-block i in order acc = fma(float(isum), scale(s[i]) / 2 * a_scale, acc).
// Example 38 40 30 30, 97 00 00 00 00 00 00 00, 21, rest 00 -> e0 = 6, e8 = -0.5, e16 = 1, e24 = 2, others 0
#include "formats/codec.h"

namespace sterna::formats {
namespace {

// 0 1 2 3 4 6 8 12 and their negatives, plus 16.
constexpr uint8_t kValues[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

/// Half of scale(s), as f16: its bits are those of s, its exponents 7 higher.
uint16_t half_of_scale(uint8_t s) {
  if (s == 0x7f) return 0;
  if ((s & 0x78) == 0) return f32_to_f16(float(s & 7) * 0x1p-10f);
  return uint16_t(((s & 0x7f) << 7) + (7 << 10));
}

struct NVFP4 {
  static constexpr uint32_t kElems = 64, kBytes = 36;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kBlock, .bits = 4, .zero = 16, .block = 32, .sub = 16, .codebook = kValues};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    for (int i = 0; i < 4; ++i) {
      out.d[i] = half_of_scale(b[i]);
      planes<4, 8>(b + 4 + 8 * i, codes + 16 * i);
    }
  }
};

}  // namespace

constinit const Format kNVFP4 = make_format<NVFP4>("NVFP4", 40);

}  // namespace sterna::formats
