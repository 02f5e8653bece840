// Rows of a tensor as it lies in a file, one by one, or encoded to another format on the way.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/format.h"

namespace sterna::cpu {

struct TensorRows {
  const formats::Format* stored;
  const uint8_t* data;
  size_t rows, depth;
  const formats::Format* format;  ///< Of what row() gives: `stored`, or one with an encoder.

  bool encoded() const { return format != stored; }
  float scale() const { return formats::tensor_scale(*stored, data, depth, rows); }
  size_t scratch_bytes() const;
  /// The bytes of a row, in the tensor or in `scratch` (for floats, scratch_bytes()). Null if it has to be
  /// encoded and an element is not a finite number.
  const uint8_t* row(size_t r, uint8_t* scratch) const;
  /// The values of those bytes.
  void decode(const uint8_t* row, float* out) const {
    format->decode(row, depth, encoded() ? 1.0f : scale(), out);
  }
};

}  // namespace sterna::cpu
