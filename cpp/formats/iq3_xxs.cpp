// IQ3_XXS (id 18): 4 elements are one of 256 patterns of magnitudes, signs per 8, 4-bit scale per 32, its f16
// factor per 256; 3.06 bits per weight.
//
// Layout  98 bytes per 256 elements: d f16 [0], index[64] [2], w u32[8] [66].
// Order   index j: the magnitudes of elements 4j .. 4j + 3 are kGridIq3Xxs[index[j]]. The signs of group k of
//         8 elements of 32 elements s are even_signs(bits 7k .. 7k + 6 of w[s]); sc = 2n + 1, n the high four
//         bits of w[s].
// Value   d / 2 * sc * g, g = +- 2, 6, 10, 14, 18, 22, 26 or 31; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^25;
//         acc = fma(float(isum), (d / 2) * a_scale, acc).
// Example d = 0.5, index[0] = 01, w[0] = 01 00 00 10, rest 00 -> sc[0] = 3: e0 = -7.5 (g = -10), e1 = 1.5
//         (2), e7 = -1.5
#include "formats/iq.h"

namespace sterna::formats {
namespace {

constexpr auto kValues = signed_codebook<3, 32>({2, 6, 10, 14, 18, 22, 26, 31});

struct IQ3_XXS {
  static constexpr uint32_t kElems = 256, kBytes = 98;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper,
                                  .bits = 4,
                                  .zero = 32,
                                  .block = kElems,
                                  .sub = 32,
                                  .codebook = kValues.data(),
                                  .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d32 = scaled_f16(b, 1 / 2.0f);
    for (int s = 0; s < 8; ++s) {
      const uint32_t w = load_u32(b + 66 + 4 * s);
      out.sub_scale[s] = int8_t(2 * (w >> 28) + 1);
      for (int k = 0; k < 4; ++k) {
        const uint8_t signs = even_signs(w >> 7 * k & 127);
        const uint8_t* const index = b + 2 + 8 * s + 2 * k;
        codes_of_4(kGridIq3Xxs[index[0]], signs, codes + 32 * s + 8 * k);
        codes_of_4(kGridIq3Xxs[index[1]], signs >> 4, codes + 32 * s + 8 * k + 4);
      }
    }
  }
};

}  // namespace

constinit const Format kIQ3_XXS = make_format<IQ3_XXS>("IQ3_XXS", 18);

}  // namespace sterna::formats
