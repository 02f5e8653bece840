// BF16: the upper 16 bits of an f32, little-endian, 2 bytes per element.
// No codes: y = lane-rule sum of w*x, w widened to f32 (exact).
// Example: 80 3F = 1.0, AB 3E = 0.333984375
#include "formats/codec.h"

namespace sterna::formats {
namespace {

void decode(const uint8_t* row, size_t n, float, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = bf16_to_f32(load_u16(row + 2 * i));
}

}  // namespace

constinit const Format kBF16 = {"BF16", 30, 1, 2, 0, {}, decode, nullptr};

}  // namespace sterna::formats
