// Q4_1 (id 3): 4 bits per weight, f16 scale and f16 offset per 32.
//
// Layout  20 bytes per 32 elements: d f16 [0], m f16 [2], qs[16] [4].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one.
// Value   d * code + m.
// Fold    activations int8 in blocks of 32; isum = sum code * a, |isum| <= 2^16; asum = sum a;
//         acc = fma(float(isum), d * a_scale, acc); acc = fma(float(asum), m * a_scale, acc).
// Example 00 38 00 BC 71 F0, rest 00 -> e0 = -0.5, e16 = 2.5, e1 = -1, e17 = 6.5, all others -1
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q4_1 {
  static constexpr uint32_t kElems = 32, kBytes = 20;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 4, .block = kElems, .has_min = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    *out.m = load_u16(b + 2);
    planes<4, 16>(b + 4, codes);
  }
};

}  // namespace

constinit const Format kQ4_1 = make_format<Q4_1>("Q4_1", 3);

}  // namespace sterna::formats
