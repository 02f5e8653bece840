// MXFP4 (id 39): floats of 4 bits (E2M1), scale a power of two per 32.
//
// Layout  17 bytes per 32 elements: e u8 [0], qs[16] [1].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one.
// Value   2^(e - 128) * (kValues[code] - 16): twice the float, half the scale.
// Fold    activations int8 in blocks of 32; isum = sum (kValues[code] - 16) * a, |isum| <= 2^16;
//         acc = fma(float(isum), 2^(e - 128) * a_scale, acc).
// Example 80 97 21, rest 00 -> e0 = 12, e16 = -1, e1 = 1, e17 = 2, all others 0
#include <bit>

#include "formats/codec.h"

namespace sterna::formats {
namespace {

// 0 1 2 3 4 6 8 12 and their negatives, plus 16.
constexpr uint8_t kValues[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

struct MXFP4 {
  static constexpr uint32_t kElems = 32, kBytes = 17;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kBlock, .bits = 4, .zero = 16, .block = kElems, .codebook = kValues, .f32_scales = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    const uint32_t e = b[0];  // of 0 and 1 the scale is denormal
    *out.d32 = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    planes<4, 16>(b + 1, codes);
  }
};

}  // namespace

constinit const Format kMXFP4 = make_format<MXFP4>("MXFP4", 39);

}  // namespace sterna::formats
