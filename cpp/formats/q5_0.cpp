// Q5_0 (id 6): 5 bits per weight, f16 scale per 32.
//
// Layout  22 bytes per 32 elements: d f16 [0], qh u32 [2], qs[16] [6].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one;
//         bit j of qh is the fifth bit of element j.
// Value   d * (code - 16).
// Fold    activations int8 in blocks of 32; isum = sum (code - 16) * a, |isum| <= 2^16;
//         acc = fma(float(isum), d * a_scale, acc).
// Example 00 38 01 00 02 00 71 F0, rest 00 -> e0 = 0.5, e16 = -4.5, e1 = -8, e17 = 7.5, all others -8
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q5_0 {
  static constexpr uint32_t kElems = 32, kBytes = 22;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 5, .zero = 16, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    planes<4, 16>(b + 6, codes);
    runs<1, 4, /*kShift=*/4>(b + 2, codes);
  }
};

}  // namespace

constinit const Format kQ5_0 = make_format<Q5_0>("Q5_0", 6);

}  // namespace sterna::formats
