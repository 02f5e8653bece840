// IQ4_NL (id 20): 4 bits per weight that index 16 unequally spaced values, f16 scale per 32.
//
// Layout  18 bytes per 32 elements: d f16 [0], qs[16] [2].
// Order   byte j of qs: element j in the low nibble, element j + 16 in the high one.
// Value   d * (kIq4Values[code] - 128).
// Fold    activations int8 in blocks of 32; isum = sum (kIq4Values[code] - 128) * a, |isum| <= 2^19;
//         acc = fma(float(isum), d * a_scale, acc).
// Example 00 38 F0 87, rest 00 -> e0 = -63.5, e16 = 56.5, e1 = -5, e17 = 0.5, all others -63.5
#include "formats/iq.h"

namespace sterna::formats {
namespace {

struct IQ4_NL {
  static constexpr uint32_t kElems = 32, kBytes = 18;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kBlock, .bits = 4, .zero = 128, .block = kElems, .codebook = kIq4Values};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    planes<4, 16>(b + 2, codes);
  }
};

}  // namespace

constinit const Format kIQ4_NL = make_format<IQ4_NL>("IQ4_NL", 20);

}  // namespace sterna::formats
