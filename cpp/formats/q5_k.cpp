// Q5_K (id 13): 5 bits per weight, 6-bit scale and minimum per 32, their f16 factors per 256.
//
// Layout  176 bytes per 256 elements: d f16 [0], m f16 [2], scales[12] [4], qh[32] [16], qs[128] [48].
//         sc and mn by scales6() of codec.h.
// Order   each 32 bytes of qs hold the low nibbles of 64 elements: element j of these in byte j % 32, low
//         nibble for j < 32; the fifth bit of element e is bit e / 32 of qh[e % 32].
// Value   d * sc * code - m * mn.
// Fold    activations int8 in blocks of 256 with asum[s] = sum a of each 32;
//         isum = sum_s sc[s] * (sum code * a), |isum| <= 2^26; msum = sum_s mn[s] * asum[s], |msum| <= 2^21;
//         acc = fma(float(isum), d * a_scale, acc); acc = fma(float(-msum), m * a_scale, acc).
// Example d = 0.5, m = 0.25, scales[0] = 45, scales[4] = 83, scales[8] = 12, qh[0] = 01, qs[0] = 2D, rest 00
//         -> e0 = 71.75, e1 = -0.75
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q5_K {
  static constexpr uint32_t kElems = 256, kBytes = 176;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kSuper, .bits = 5, .block = kElems, .sub = 32, .has_min = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    *out.m = load_u16(b + 2);
    scales6(b + 4, out.sub_scale, out.sub_min);
    for (int i = 0; i < 4; ++i) planes<4, 32>(b + 48 + 32 * i, codes + 64 * i);
    planes<1, 32, /*kShift=*/4>(b + 16, codes);
  }
};

}  // namespace

constinit const Format kQ5_K = make_format<Q5_K>("Q5_K", 13);

}  // namespace sterna::formats
