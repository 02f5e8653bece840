// IQ1_S (id 19): 8 elements are one of 2048 patterns of -1, 0 and 1, all of 32 shifted by 1/8 up or down,
// 3-bit scale per 32, its f16 factor per 256; 1.56 bits per weight.
//
// Layout  50 bytes per 256 elements: d f16 [0], index[32] [2], high u16[8] [34].
// Order   group k of 8 elements (k = 0..3) of 32 elements s: lanes t = 0, 1, 2 of
//         kGridIq1S[index[4s + k] + 256 * (bits 3k .. 3k + 2 of high[s])], delta = -1 if bit 15 of high[s] is
//         set, else 1; sc = 2n + 1, n bits 12 .. 14 of high[s].
// Value   d / 8 * sc * g, g = 8 * (t - 1) + delta; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^23;
//         acc = fma(float(isum), (d / 8) * a_scale, acc).
// Example d = 0.5, high[0] = 00 90, rest 00 -> sc[0] = 3, delta = -1: e0..31 = -1.6875 (g = -9)
#include "formats/iq.h"

namespace sterna::formats {
namespace {

struct IQ1_S {
  static constexpr uint32_t kElems = 256, kBytes = 50;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper,
                                  .bits = 3,
                                  .zero = 64,
                                  .block = kElems,
                                  .sub = 32,
                                  .codebook = kIq1Values,
                                  .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d32 = scaled_f16(b, 1 / 8.0f);
    for (int s = 0; s < 8; ++s) {
      const int high = load_u16(b + 34 + 2 * s);
      out.sub_scale[s] = int8_t(2 * (high >> 12 & 7) + 1);
      for (int k = 0; k < 4; ++k)
        codes_of_8(kGridIq1S[b[2 + 4 * s + k] | (high >> 3 * k & 7) << 8], high & 0x8000 ? 0xff : 0,
                   codes + 32 * s + 8 * k);
    }
  }
};

}  // namespace

constinit const Format kIQ1_S = make_format<IQ1_S>("IQ1_S", 19);

}  // namespace sterna::formats
