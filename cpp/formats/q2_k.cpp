// Q2_K (id 10): 2 bits per weight, 4-bit scale and minimum per 16, their f16 factors per 256.
//
// Layout  84 bytes per 256 elements: scales[16] [0], qs[64] [16], d f16 [80], m f16 [82].
//         scales[s], for elements 16 s ..: sc in the low nibble, mn in the high one.
// Order   each 32 bytes of qs hold 128 elements: element j of these in byte j % 32, bits 2 * (j / 32).
// Value   d * sc * code - m * mn.
// Fold    activations int8 in blocks of 256 with asum[s] = sum a of each 16;
//         isum = sum_s sc[s] * (sum code * a), |isum| <= 2^21; msum = sum_s mn[s] * asum[s], |msum| <= 2^19;
//         acc = fma(float(isum), d * a_scale, acc); acc = fma(float(-msum), m * a_scale, acc).
// Example byte 0 = 21, byte 15 = 43, byte 16 = E4, byte 79 = C0, rest 00, d = 0.5, m = 0.25
//         -> e0 = -0.5, e1 = -0.5, e255 = 3.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q2_K {
  static constexpr uint32_t kElems = 256, kBytes = 84;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kSuper, .bits = 2, .block = kElems, .sub = 16, .has_min = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b + 80);
    *out.m = load_u16(b + 82);
    for (int s = 0; s < 16; ++s) {
      out.sub_scale[s] = int8_t(b[s] & 15);
      out.sub_min[s] = b[s] >> 4;
    }
    planes<2, 32>(b + 16, codes);
    planes<2, 32>(b + 48, codes + 128);
  }
};

}  // namespace

constinit const Format kQ2_K = make_format<Q2_K>("Q2_K", 10);

}  // namespace sterna::formats
