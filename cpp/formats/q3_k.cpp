// Q3_K (id 11): 3 bits per weight, signed 6-bit scale per 16, its f16 factor per 256.
//
// Layout  110 bytes per 256 elements: hmask[32] [0], qs[64] [32], scales[12] [96], d f16 [108].
//         Scale s of elements 16 s ..: low four bits in nibble s / 8 (low first) of scales[s % 8], high two
//         bits in bits 2 * (s / 4) of scales[8 + s % 4]; sc = these six bits - 32.
// Order   each 32 bytes of qs hold the low two bits of 128 elements: element j of these in byte j % 32, bits
//         2 * (j / 32); the third bit of element e is bit e / 32 of hmask[e % 32].
// Value   d * sc * (code - 4).
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum (code - 4) * a), |isum| <= 2^22;
//         acc = fma(float(isum), d * a_scale, acc).
// Example byte 0 = 05, byte 32 = E4, byte 96 = 01, byte 104 = 02, rest 00, d = 0.5
//         -> e0 = 0, e32 = 48, e64 = -32, e96 = 16, e16 = 64
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q3_K {
  static constexpr uint32_t kElems = 256, kBytes = 110;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper, .bits = 3, .zero = 4, .block = kElems, .sub = 16};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b + 108);
    const uint8_t* scales = b + 96;
    for (int s = 0; s < 16; ++s) {
      const int low = (scales[s % 8] >> (4 * (s / 8))) & 15, high = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
      out.sub_scale[s] = int8_t((low | high << 4) - 32);
    }
    planes<2, 32>(b + 32, codes);
    planes<2, 32>(b + 64, codes + 128);
    planes<1, 32, /*kShift=*/2>(b, codes);
  }
};

}  // namespace

constinit const Format kQ3_K = make_format<Q3_K>("Q3_K", 11);

}  // namespace sterna::formats
