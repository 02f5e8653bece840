// The contract of the product of chosen rows, which a sparse convolution is made of:
//   acc[row[j]][c] += sum over i of x[input[j]][i] * w[i][c],   j = 0 .. n_pairs - 1, c = 0 .. 16*n_panels -
//   1,
// i ascending, each step one fma on the element of acc: no partial sums. A call for each offset of a kernel
// in ascending order thus makes one chain per output element. Variant: "f32".
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

struct RowsArgs {
  const float* x;
  size_t x_stride;       ///< Elements between inputs.
  size_t depth;          ///< Elements of an input.
  const float* weights;  ///< [n_panels][depth][16].
  size_t n_panels;
  const int32_t* input;  ///< Of each pair: which input is read ...
  const int32_t* row;    ///< ... and which row of acc, counted from first_row, it goes to; no row twice.
  size_t n_pairs;
  int32_t first_row;
  float* acc;         ///< acc[(row - first_row) * acc_stride + c].
  size_t acc_stride;  ///< At least 16 * n_panels.
};

using RowsFn = void(const RowsArgs&);

}  // namespace sterna::kernels
