// Activations of 4 and 16 bits, as rows that kernels for 8 bits read (sterna/matmul.h has the arithmetic).
#pragma once

#include <cstddef>

#include "kernels/contract/elementwise.h"

namespace sterna::cpu {

/// Writes a row of codes, scales and sums as args says (16 bits: the high plane, and the low plane in the row
/// after it). Strides: elements between rows.
void quantize_act(int bits, const kernels::QuantizeArgs& args, size_t code_stride, size_t scale_stride,
                  size_t sum_stride);

}  // namespace sterna::cpu
