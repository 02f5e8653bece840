// IQ4_XS (id 23): 4 bits per weight that index 16 unequally spaced values, 6-bit scale per 32, its f16 factor
// per 256.
//
// Layout  136 bytes per 256 elements: d f16 [0], high u16 [2], low[4] [4], qs[128] [8].
// Order   16 bytes of qs per 32 elements: byte j has element j in the low nibble, j + 16 in the high one.
// Scale   s of 32 elements g: its low four bits are nibble g of low (the low nibble first), the high two
//         bits 2g and 2g + 1 of high; sc = s - 32.
// Value   d * sc * (kIq4Values[code] - 128).
// Fold    activations int8 in blocks of 256; isum = sum_g sc[g] * (sum (kIq4Values[code] - 128) * a),
//         |isum| <= 2^27; acc = fma(float(isum), d * a_scale, acc).
// Example d = 0.5, high = 02 00, low[0] = 01, qs[0] = F0, rest 00 -> sc[0] = 1: e0 = -63.5, e16 = 56.5
#include "formats/iq.h"

namespace sterna::formats {
namespace {

struct IQ4_XS {
  static constexpr uint32_t kElems = 256, kBytes = 136;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kSuper, .bits = 4, .zero = 128, .block = kElems, .sub = 32, .codebook = kIq4Values};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    const int high = load_u16(b + 2);
    for (int g = 0; g < 8; ++g) {
      const int low = b[4 + g / 2] >> 4 * (g % 2) & 15;
      out.sub_scale[g] = int8_t((low | (high >> 2 * g & 3) << 4) - 32);
      planes<4, 16>(b + 8 + 16 * g, codes + 32 * g);
    }
  }
};

}  // namespace

constinit const Format kIQ4_XS = make_format<IQ4_XS>("IQ4_XS", 23);

}  // namespace sterna::formats
