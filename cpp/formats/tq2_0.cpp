// TQ2_0 (id 35): ternary, 2 bits per weight, f16 scale per 256.
//
// Layout  66 bytes per 256 elements: qs[64] [0], d f16 [64].
// Order   each 32 bytes of qs hold 128 elements: element j of these in byte j % 32, bits 2 * (j / 32).
// Value   d * (code - 1). Code 3 is never written; it means +2d.
// Fold    activations int8 in blocks of 256; isum = sum (code - 1) * a, |isum| <= 2^16;
//         acc = fma(float(isum), d * a_scale, acc).
// Example qs[0] = 24, qs[33] = 18, rest 00, d = 0.5
//         -> e0, 32, 64, 96 = -0.5, 0, 0.5, -0.5; e129, 161, 193, 225 = -0.5, 0.5, 0, -0.5; all others -0.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct TQ2_0 {
  static constexpr uint32_t kElems = 256, kBytes = 66;
  static constexpr CodeSpec kSpec{.fold = Fold::kBlock, .bits = 2, .zero = 1, .block = kElems};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b + 64);
    planes<2, 32>(b, codes);
    planes<2, 32>(b + 32, codes + 128);
  }
};

}  // namespace

constinit const Format kTQ2_0 = make_format<TQ2_0>("TQ2_0", 35);

}  // namespace sterna::formats
