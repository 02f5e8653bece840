// Encoding of rows: decoded, checked, and written in the other format.
#include "backends/cpu/tensor_rows.h"

namespace sterna::cpu {

size_t TensorRows::scratch_bytes() const {
  return encoded() ? depth * sizeof(float) + formats::row_bytes(*format, depth) : 0;
}

const uint8_t* TensorRows::row(size_t r, uint8_t* scratch) const {
  const uint8_t* bytes = data + r * formats::row_bytes(*stored, depth);
  if (!encoded()) return bytes;
  float* values = reinterpret_cast<float*>(scratch);
  stored->decode(bytes, depth, scale(), values);
  for (size_t k = 0; k < depth; k++)
    if (values[k] - values[k] != 0) return nullptr;
  uint8_t* codes = scratch + depth * sizeof(float);
  format->encode(values, depth, codes);
  return codes;
}

}  // namespace sterna::cpu
