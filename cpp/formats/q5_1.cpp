// Q5_1 (id 7): 5 bits per weight, f16 scale and f16 offset per 32.
//
// Layout  24 bytes per 32 elements: d f16 [0], m f16 [2], qh u32 [4], qs[16] [8].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one;
//         bit j of qh is the fifth bit of element j.
// Value   d * code + m.
// Fold    activations int8 in blocks of 32; isum = sum code * a, |isum| <= 2^17; asum = sum a;
//         acc = fma(float(isum), d * a_scale, acc); acc = fma(float(asum), m * a_scale, acc).
// Example 00 38 00 BC 01 00 02 00 71 F0, rest 00 -> e0 = 7.5, e16 = 2.5, e1 = -1, e17 = 14.5, all others -1
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q5_1 {
  static constexpr uint32_t kElems = 32, kBytes = 24;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 5, .block = kElems, .has_min = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    *out.m = load_u16(b + 2);
    planes<4, 16>(b + 8, codes);
    runs<1, 4, /*kShift=*/4>(b + 4, codes);
  }
};

}  // namespace

constinit const Format kQ5_1 = make_format<Q5_1>("Q5_1", 7);

}  // namespace sterna::formats
