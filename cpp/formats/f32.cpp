// F32: IEEE binary32, little-endian, 4 bytes per element. No codes: y = lane-rule sum of w*x.
// Example: 00 00 80 3F = 1.0
#include <bit>

#include "formats/codec.h"

namespace sterna::formats {
namespace {

void decode(const uint8_t* row, size_t n, float, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = std::bit_cast<float>(load_u32(row + 4 * i));
}

}  // namespace

constinit const Format kF32 = {"F32", 0, 1, 4, 0, {}, decode, nullptr};

}  // namespace sterna::formats
