// Q6_K (id 14): 6 bits per weight, int8 scale per 16, its f16 factor per 256.
//
// Layout  210 bytes per 256 elements: ql[128] [0], qh[64] [128], sc i8[16] [192], d f16 [208].
// Order   each half of 128 elements has 64 bytes of ql and 32 of qh: the low four bits of element j of the
//         half are in ql byte j % 64, low nibble for j < 64; the high two are in qh byte j % 32,
//         bits 2 * (j / 32).
// Value   d * sc * (code - 32).
// Fold    activations int8 in blocks of 256; isum = sum_s sc[s] * (sum (code - 32) * a), |isum| <= 2^27;
//         acc = fma(float(isum), d * a_scale, acc).
// Encode  per 16 elements, s = the x of largest magnitude / -32; d = the largest |s| / 127 as f16,
//         sc = rne(s / d), code = rne(x / (d * sc)) + 32, at most 63.
// Example ql[0] = A5, ql[32] = 3C, qh[0] = E4, sc[0] = 2, sc[2] = -1, sc[4] = 3, sc[6] = -2, rest 00, d = 0.5
//         -> e0 = -27, e32 = 2, e64 = 15, e96 = -19, e1 = -32
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q6_K {
  static constexpr uint32_t kElems = 256, kBytes = 210;
  static constexpr CodeSpec kSpec{.fold = Fold::kSuper, .bits = 6, .zero = 32, .block = kElems, .sub = 16};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b + 208);
    for (int s = 0; s < 16; ++s) out.sub_scale[s] = int8_t(b[192 + s]);
    for (int half = 0; half < 2; ++half) {
      planes<4, 64>(b + 64 * half, codes + 128 * half);
      planes<2, 32, /*kShift=*/4>(b + 128 + 32 * half, codes + 128 * half);
    }
  }
  static void encode(const float* x, uint8_t* b) {
    float s[16];
    for (int i = 0; i < 16; ++i) s[i] = extreme(x + 16 * i, 16) / -32;
    const F16Scale d(std::fabs(extreme(s, 16)) / 127);
    store_u16(b + 208, d.bits);
    uint8_t codes[256];
    for (int i = 0; i < 16; ++i) {
      const int sc = quantize(s[i] * d.inverse, -127, 127);
      b[192 + i] = uint8_t(sc);
      const float inverse = sc == 0 ? 0 : d.inverse / float(sc);
      for (int j = 16 * i; j < 16 * i + 16; ++j) codes[j] = uint8_t(quantize(x[j] * inverse, -32, 31) + 32);
    }
    for (int half = 0; half < 2; ++half) {
      const uint8_t* c = codes + 128 * half;
      for (int j = 0; j < 64; ++j) b[64 * half + j] = uint8_t((c[j] & 15) | (c[j + 64] & 15) << 4);
      for (int j = 0; j < 32; ++j)
        b[128 + 32 * half + j] =
            uint8_t(c[j] >> 4 | c[j + 32] >> 4 << 2 | c[j + 64] >> 4 << 4 | c[j + 96] >> 4 << 6);
    }
  }
};

}  // namespace

constinit const Format kQ6_K = make_format<Q6_K>("Q6_K", 14);

}  // namespace sterna::formats
