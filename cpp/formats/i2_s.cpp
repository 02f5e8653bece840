// I2_S (id 36, bitnet.cpp): ternary, 2 bits per weight, one f32 scale per tensor.
//
// Layout  32 bytes per 128 elements; after the tensor's last row 32 bytes: f32 scale s, 28 bytes of padding.
// Order   element j in byte j % 32, bits 6 - 2 * (j / 32): the first 32 elements are in the top two bits.
//         llama-quantize of bitnet.cpp built for ARM since November 2025 packs groups of 64 into 16 bytes
//         under the same id; nothing in the file tells the two apart. All published files have this layout.
// Value   s * (code - 1). Code 3 is never written; it means 0, and unpack turns it into code 1.
// Fold    activations int8 with one scale per token, whose largest magnitude counts as at least 1e-5: the
//         rule that BitNet's models are trained with. isum = sum (code - 1) * a over the row, in int32,
//         |isum| <= 128 n; y = float(isum) * (s * a_scale), the product of the scales rounded first.
// Example n = 128: byte 0 = 86, byte 1 = 15, byte 31 = 54, others 55, bytes 32-35 = 00 00 00 3F (s = 0.5)
//         -> e0, 32, 64, 96 = 0.5, -0.5, 0, 0.5; e1 = -0.5, e33 = e65 = e97 = 0; e127 = -0.5; all others 0
#include "formats/codec.h"

namespace sterna::formats {
namespace {

struct I2S {
  static constexpr uint32_t kElems = 128, kBytes = 32;
  static constexpr CodeSpec kSpec{
      .fold = Fold::kRow, .bits = 2, .zero = 1, .ternary = true, .act_floor = 1e-5f};
  static void unpack(const uint8_t* __restrict b, uint8_t* __restrict codes, const RowCodes&) {
    for (int p = 0; p < 4; ++p) {
      for (int j = 0; j < 32; ++j) {
        const uint8_t c = (b[j] >> (6 - 2 * p)) & 3;
        codes[32 * p + j] = c == 3 ? 1 : c;
      }
    }
  }
};

}  // namespace

constinit const Format kI2_S = make_format<I2S>("I2_S", 36, /*tail_bytes=*/32);

}  // namespace sterna::formats
