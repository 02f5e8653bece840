// IQ1_M (id 29): 8 elements are one of 2048 patterns of -1, 0 and 1, shifted by 1/8 up or down, 3-bit scale
// per 16, its f16 factor per 256; 1.75 bits per weight.
//
// Layout  56 bytes per 256 elements: index[32] [0], high[16] [32], scales u16[4] [48].
// Order   8 elements i: lanes t = 0, 1, 2 of kGridIq1S[index[i] + 256 * (h & 7)], h nibble i of high (the low
//         nibble first), delta = -1 if bit 3 of h is set, else 1. sc of 16 elements s: 2n + 1, n the bits
//         3(s % 4) .. 3(s % 4) + 2 of scales[s / 4]; the high four bits of scales, the first lowest, are d.
// Value   d / 8 * sc * g, g = 8 * (t - 1) + delta; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^23;
//         acc = fma(float(isum), (d / 8) * a_scale, acc).
// Example high[0] = 08, scales = 01 00 00 00 00 80 00 30, rest 00 -> d = 0.5, sc[0] = 3:
//         e0..7 = -1.6875 (g = -9), e8..15 = -1.3125 (-7), all others -0.4375
#include "formats/iq.h"

namespace sterna::formats {
namespace {

struct IQ1_M {
  static constexpr uint32_t kElems = 256, kBytes = 56;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper,
                                  .bits = 3,
                                  .zero = 64,
                                  .block = kElems,
                                  .sub = 16,
                                  .codebook = kIq1Values,
                                  .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    int d = 0;
    for (int i = 0; i < 4; ++i) d |= load_u16(b + 48 + 2 * i) >> 12 << 4 * i;
    *out.d32 = f16_to_f32(uint16_t(d)) / 8;
    for (int s = 0; s < 16; ++s) {
      const int scales = load_u16(b + 48 + 2 * (s / 4));
      out.sub_scale[s] = int8_t(2 * (scales >> 3 * (s % 4) & 7) + 1);
    }
    for (int i = 0; i < 32; ++i) {
      const int h = b[32 + i / 2] >> 4 * (i % 2);
      codes_of_8(kGridIq1S[b[i] | (h & 7) << 8], h & 8 ? 0xff : 0, codes + 8 * i);
    }
  }
};

}  // namespace

constinit const Format kIQ1_M = make_format<IQ1_M>("IQ1_M", 29);

}  // namespace sterna::formats
