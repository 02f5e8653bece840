// Activations of 4 and 16 bits for the raw matmul, as rows that kernels for 8 bits read (sterna/matmul.h has
// the arithmetic).
#pragma once

#include <cstddef>

#include "backends/cpu/linear.h"

namespace sterna {

/// Writes `depth` floats as row `row` of the form: with 16 bits the high plane there and the low plane in the
/// row after it. Different rows may run in parallel.
void quantize_act(int bits, const float* x, size_t depth, const cpu::Activations::Form& form, size_t row);

}  // namespace sterna
