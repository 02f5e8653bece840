// IQ3_S (id 21): 4 elements are one of 512 patterns of magnitudes, a sign bit per element, 4-bit scale per
// 32, its f16 factor per 256; 3.44 bits per weight. Files named IQ3_M, too.
//
// Layout  110 bytes per 256 elements: d f16 [0], index[64] [2], high[8] [66], signs[32] [74], scales[4]
//         [106].
// Order   4 elements j (0..7) of 32 elements s: magnitudes kGridIq3S[index[8s + j] + 256 * bit j of high[s]].
//         The sign of element e is bit e % 8 of signs[e / 8]. sc[s] = 2n + 1, n nibble s of scales (the low
//         nibble first).
// Value   d * sc * g, g = +- 1, 3, 5, 7, 9, 11, 13 or 15; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^24;
//         acc = fma(float(isum), d * a_scale, acc).
// Example d = 0.5, index[0] = 01, high[0] = 02, signs[0] = 01, scales[0] = 01, rest 00 -> sc[0] = 3, entries
//         1 and 256: e0 = -4.5 (g = -3), e1 = 1.5 (1), e4 = 10.5 (7), e5 = 7.5 (5)
#include "formats/iq.h"

namespace sterna::formats {
namespace {

constexpr auto kValues = signed_codebook<3, 16>({1, 3, 5, 7, 9, 11, 13, 15});

struct IQ3_S {
  static constexpr uint32_t kElems = 256, kBytes = 110;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kSuper, .bits = 4, .zero = 16, .block = kElems, .sub = 32, .codebook = kValues.data()};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    for (int s = 0; s < 8; ++s) {
      out.sub_scale[s] = int8_t(2 * (b[106 + s / 2] >> 4 * (s % 2) & 15) + 1);
      for (int j = 0; j < 8; ++j) {
        const int index = b[2 + 8 * s + j] | (b[66 + s] >> j & 1) << 8;
        const uint8_t signs = b[74 + 4 * s + j / 2] >> 4 * (j % 2);
        codes_of_4(kGridIq3S[index], signs, codes + 32 * s + 4 * j);
      }
    }
  }
};

}  // namespace

constinit const Format kIQ3_S = make_format<IQ3_S>("IQ3_S", 21);

}  // namespace sterna::formats
