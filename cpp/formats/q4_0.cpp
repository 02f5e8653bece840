// Q4_0 (id 2): 4 bits per weight, f16 scale per 32.
//
// Layout  18 bytes per 32 elements: d f16 [0], qs[16] [2].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one.
// Value   d * (code - 8).
// Fold    activations int8 in blocks of 32; isum = sum (code - 8) * a, |isum| <= 2^15;
//         acc = fma(float(isum), d * a_scale, acc).
// Encode  d = the x of largest magnitude / -8 as f16, code = rne(x / d) + 8, at most 15.
// Example 00 38 71 F0, rest 00 -> e0 = -3.5, e16 = -0.5, e1 = -4, e17 = 3.5, all others -4
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q4_0 {
  static constexpr uint32_t kElems = 32, kBytes = 18;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 4, .zero = 8, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    planes<4, 16>(b + 2, codes);
  }
  static void encode(const float* x, uint8_t* b) {
    const F16Scale d(extreme(x, 32) / -8);
    store_u16(b, d.bits);
    uint8_t codes[32];
    for (int j = 0; j < 32; ++j) codes[j] = uint8_t(quantize(x[j] * d.inverse, -8, 7) + 8);
    for (int j = 0; j < 16; ++j) b[2 + j] = uint8_t(codes[j] | codes[j + 16] << 4);
  }
};

}  // namespace

constinit const Format kQ4_0 = make_format<Q4_0>("Q4_0", 2);

}  // namespace sterna::formats
