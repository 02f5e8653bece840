// Q1_0 (id 41): binary, f16 scale per 128.
//
// Layout  18 bytes per 128 elements: d f16 [0], qs[16] [2].
// Order   element j in byte 2 + j / 8, bit j % 8.
// Value   d * (2 * code - 1): +d or -d, there is no zero.
// Fold    activations int8 in blocks of 128; isum = sum (2 * code - 1) * a, |isum| <= 2^14;
//         acc = fma(float(isum), d * a_scale, acc).
// Example 00 38 05 00 ... 80 -> e0 = 0.5, e1 = -0.5, e2 = 0.5, e127 = 0.5, all others -0.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q1_0 {
  static constexpr uint32_t kElems = 128, kBytes = 18;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 1, .mul = 2, .zero = 1, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    runs<1, 16>(b + 2, codes);
  }
};

}  // namespace

constinit const Format kQ1_0 = make_format<Q1_0>("Q1_0", 41);

}  // namespace sterna::formats
