// IQ2_XXS (id 16): 8 elements are one of 256 patterns of magnitudes with signs, 4-bit scale per 32, its f16
// factor per 256; 2.06 bits per weight.
//
// Layout  66 bytes per 256 elements: d f16 [0]; per 32 elements index[4], w u32 (8 bytes) [2].
// Order   group k of 8 elements (k = 0..3): magnitudes kGridIq2Xxs[index[k]], signs even_signs(bits 7k ..
//         7k + 6 of w); sc = 2n + 1, n the high four bits of w.
// Value   d / 8 * sc * g, g = -43, -25, -8, 8, 25 or 43; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^26;
//         acc = fma(float(isum), (d / 8) * a_scale, acc).
// Example d = 0.5, index[0] = 02, w = 01 00 00 10, rest 00 -> sc[0] = 3: e0 = -4.6875 (g = -25),
//         e1 = 4.6875, e2 = 1.5 (8), e7 = -1.5
#include "formats/iq.h"

namespace sterna::formats {
namespace {

alignas(64) constexpr auto kMagnitudes = grid_magnitudes(kGridIq2Xxs);
constexpr Grid kGrid{std::size(kGridIq2Xxs), kGridIq2Xxs, kMagnitudes.data()};

struct IQ2_XXS {
  static constexpr uint32_t kElems = 256, kBytes = 66;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper,
                                  .bits = 3,
                                  .zero = 64,
                                  .block = kElems,
                                  .sub = 32,
                                  .codebook = kIq2Values.data(),
                                  .grid = &kGrid,
                                  .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d32 = scaled_f16(b, 1 / 8.0f);
    for (int s = 0; s < 8; ++s) {
      const uint8_t* const index = b + 2 + 8 * s;
      const uint32_t w = load_u32(index + 4);
      out.sub_scale[s] = int8_t(2 * (w >> 28) + 1);
      for (int k = 0; k < 4; ++k)
        codes_of_8(kGridIq2Xxs[index[k]], even_signs(w >> 7 * k & 127), codes + 32 * s + 8 * k);
    }
  }
};

}  // namespace

constinit const Format kIQ2_XXS = make_format<IQ2_XXS>("IQ2_XXS", 16);

}  // namespace sterna::formats
