// IQ2_S (id 22): 8 elements are one of 1024 patterns of magnitudes, a sign bit per element, 4-bit scale per
// 16, its f16 factor per 256; 2.56 bits per weight. Files named IQ2_M, too.
//
// Layout  82 bytes per 256 elements: d f16 [0], index[32] [2], signs[32] [34], high[8] [66], scales[8] [74].
// Order   8 elements i: magnitudes kGridIq2S[index[i] + 256 * h], h bits 2(i % 4) and up of high[i / 4]; the
//         sign of lane j is bit j of signs[i]. sc[s] = 2n + 1, n nibble s of scales (the low nibble first).
// Value   d / 8 * sc * g, g = -43, -25, -8, 8, 25 or 43; here the number of g is the code.
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum g * a), |isum| <= 2^26;
//         acc = fma(float(isum), (d / 8) * a_scale, acc).
// Example d = 0.5, index[0] = 02, signs[0] = 81, high[0] = 04, scales[0] = 01, rest 00 -> sc[0] = 3, entries
//         2 and 256: e0 = -4.6875 (g = -25), e1 = 4.6875, e2 = 1.5 (8), e7 = -1.5, e8 = 4.6875
#include "formats/iq.h"

namespace sterna::formats {
namespace {

alignas(64) constexpr auto kMagnitudes = grid_magnitudes(kGridIq2S);
constexpr Grid kGrid{std::size(kGridIq2S), kGridIq2S, kMagnitudes.data()};

struct IQ2_S {
  static constexpr uint32_t kElems = 256, kBytes = 82;
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
    for (int s = 0; s < 16; ++s) out.sub_scale[s] = int8_t(2 * (b[74 + s / 2] >> 4 * (s % 2) & 15) + 1);
    for (int i = 0; i < 32; ++i) {
      const int high = b[66 + i / 4] >> 2 * (i % 4) & 3;
      codes_of_8(kGridIq2S[b[2 + i] | high << 8], b[34 + i], codes + 8 * i);
    }
  }
};

}  // namespace

constinit const Format kIQ2_S = make_format<IQ2_S>("IQ2_S", 22);

}  // namespace sterna::formats
