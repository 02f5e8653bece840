// Q8_0 (id 8): 8 bits per weight, f16 scale per 32.
//
// Layout  34 bytes per 32 elements: d f16 [0], 32 x i8 q [2].
// Order   element j in byte 2 + j.
// Value   d * q. Codes are unsigned: code = q + 128, value = d * (code - 128).
// Fold    activations int8 in blocks of 32; isum = sum (code - 128) * a, |isum| <= 2^19;
//         acc = fma(float(isum), d * a_scale, acc).
// Encode  d = the largest |x| / 127 as f16, q = rne(x / d).
// Example 00 38 80 FF 7F, rest 00 -> -64, -0.5, 63.5, 0, 0, ...
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct Q8_0 {
  static constexpr uint32_t kElems = 32, kBytes = 34;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 8, .zero = 128, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b);
    for (int j = 0; j < 32; ++j) codes[j] = b[2 + j] ^ 0x80;
  }
  static void encode(const float* x, uint8_t* b) {
    const F16Scale d(std::fabs(extreme(x, 32)) / 127);
    store_u16(b, d.bits);
    for (int j = 0; j < 32; ++j) b[2 + j] = uint8_t(quantize(x[j] * d.inverse, -127, 127));
  }
};

}  // namespace

constinit const Format kQ8_0 = make_format<Q8_0>("Q8_0", 8);

}  // namespace sterna::formats
