// F16: IEEE binary16, little-endian, 2 bytes per element.
// No codes: y = lane-rule sum of w*x, w widened to f32 (exact).
// Example: 00 3C = 1.0, 55 35 = 0.333251953125, 01 00 = 2^-24, 00 7C = infinity
#include "formats/codec.h"

namespace sterna::formats {
namespace {

void decode(const uint8_t* row, size_t n, float, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = f16_to_f32(load_u16(row + 2 * i));
}

}  // namespace

constinit const Format kF16 = {"F16", 1, 1, 2, 0, {}, decode, nullptr};

}  // namespace sterna::formats
