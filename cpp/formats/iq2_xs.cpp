// IQ2_XS (id 17): 8 elements are one of 512 patterns of magnitudes with signs, 4-bit scale per 16, its f16
// factor per 256; 2.31 bits per weight.
//
// Layout  74 bytes per 256 elements: d f16 [0], v u16[32] [2], scales[8] [66].
// Order   8 elements i: magnitudes kGridIq2Xs[v[i] & 511], signs even_signs(v[i] >> 9).
//         sc[s] = 2n + 1, n nibble s of scales (the low nibble first).
// Value   d / 8 * sc * g, g = -43, -25, -8, 8, 25 or 43; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^26;
//         acc = fma(float(isum), (d / 8) * a_scale, acc).
// Example d = 0.5, v[0] = 01 02, scales[0] = 01, rest 00 -> sc[0] = 3, signs 81: e0 = -8.0625 (-43),
//         e1 = 1.5 (8), e7 = -1.5
#include "formats/iq.h"

namespace sterna::formats {
namespace {

alignas(64) constexpr auto kMagnitudes = grid_magnitudes(kGridIq2Xs);
constexpr Grid kGrid{std::size(kGridIq2Xs), kGridIq2Xs, kMagnitudes.data()};

struct IQ2_XS {
  static constexpr uint32_t kElems = 256, kBytes = 74;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper,
                                  .bits = 3,
                                  .zero = 64,
                                  .block = kElems,
                                  .sub = 16,
                                  .codebook = kIq2Values.data(),
                                  .grid = &kGrid,
                                  .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d32 = scaled_f16(b, 1 / 8.0f);
    for (int s = 0; s < 16; ++s) out.sub_scale[s] = int8_t(2 * (b[66 + s / 2] >> 4 * (s % 2) & 15) + 1);
    for (int i = 0; i < 32; ++i) {
      const uint32_t v = load_u16(b + 2 + 2 * i);
      codes_of_8(kGridIq2Xs[v & 511], even_signs(v >> 9), codes + 8 * i);
    }
  }
};

}  // namespace

constinit const Format kIQ2_XS = make_format<IQ2_XS>("IQ2_XS", 17);

}  // namespace sterna::formats
