// The contract of matmul with floating-point weights in file order.
//   out[t][r] = sum over k of float(w[r][k]) * x[t][k], by the lane rule:
// 16 partial sums from +0, element k goes to partial k % 16 by one fma in increasing k; then the partials are
// added as a tree, s[j] += s[j+8], then +4, +2, +1. A depth that is not a multiple of 16 touches fewer
// partials at its end. Variants: "f32", "f16", "bf16".
#pragma once

#include <cstddef>
#include <cstdint>

namespace sterna::kernels {

struct FGemmArgs {
  const void* weights;  ///< First row; rows are contiguous, aligned to the element size only.
  size_t row_bytes;     ///< From row to row.
  size_t depth;
  const float* x;
  size_t x_stride;  ///< Elements between tokens.
  float* out;       ///< out[t * out_stride + r].
  size_t out_stride;
  size_t n_rows;
  size_t n_tokens;
};

using FGemmFn = void(const FGemmArgs&);

}  // namespace sterna::kernels
