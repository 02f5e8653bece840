// TQ1_0 (id 34): ternary, five base-3 digits per byte, f16 scale per 256.
//
// Layout  54 bytes per 256 elements: qs[48] [0], qh[4] [48], d f16 [52].
// Order   digit n of a byte, n = 0 the most significant, by trits() of codec.h:
//         elements 0..159: byte e % 32, n = e / 32;  160..239: byte 32 + (e - 160) % 16, n = (e - 160) / 16;
//         240..255: byte 48 + (e - 240) % 4, n = (e - 240) / 4, four digits only.
// Value   d * (code - 1), code = digit 0..2. The 13 byte values that no encoder writes decode alike.
// Fold    activations int8 in blocks of 256; isum = sum (code - 1) * a, |isum| <= 2^15;
//         acc = fma(float(isum), d * a_scale, acc).
// Example qs[0] = CF, qs[32] = 19, qh[0] = 49, rest 00, d = 0.5
//         -> e0, 32, 64, 96, 128 = 0.5, 0, -0.5, 0.5, 0; e160, 176, 192, 208, 224 = -0.5, -0.5, 0.5, 0, 0.5;
//         e240, 244, 248, 252 = -0.5, 0.5, 0, 0.5; all others -0.5
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct TQ1_0 {
  static constexpr uint32_t kElems = 256, kBytes = 54;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kBlock, .bits = 2, .zero = 1, .block = kElems, .ternary = true};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes& out) {
    *out.d = load_u16(b + 52);
    trits<5, 32>(b, codes);
    trits<5, 16>(b + 32, codes + 160);
    trits<4, 4>(b + 48, codes + 240);
  }
};

}  // namespace

constinit const Format kTQ1_0 = make_format<TQ1_0>("TQ1_0", 34);

}  // namespace sterna::formats
