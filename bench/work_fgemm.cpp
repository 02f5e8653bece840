// Matmul with float weights.
#include <cstring>
#include <memory>

#include "base/half.h"
#include "kernels/contract/fgemm.h"
#include "work.h"

namespace sterna::bench {

Work work_fgemm(const kernels::Kernel& kernel, const Case& c) {
  const Shape& shape = c.shape;
  const size_t tokens = c.tokens;
  Weights& weights = c.weights;
  const bool f32 = std::strcmp(kernel.variant, "f32") == 0, f16 = std::strcmp(kernel.variant, "f16") == 0;
  const size_t row_bytes = shape.depth * (f32 ? 4 : 2),
               n_rows = std::min(shape.rows, kMaxMatrixBytes / row_bytes);
  std::vector<uint8_t> row(row_bytes);
  for (size_t k = 0; k < shape.depth; ++k) {
    const float v = noise_float(k);
    const uint16_t half = f16 ? f32_to_f16(v) : f32_to_bf16(v);
    if (f32)
      std::memcpy(&row[4 * k], &v, 4);
    else
      std::memcpy(&row[2 * k], &half, 2);
  }
  weights.resize(n_rows * row_bytes, c.cold_mb);
  for (size_t i = 0; i < weights.copies() * n_rows; ++i) {
    std::memcpy(weights.copy(i / n_rows) + i % n_rows * row_bytes, row.data(), row_bytes);
  }
  auto x = std::make_shared<std::vector<float>>(noise_floats(tokens * shape.depth));
  auto out = std::make_shared<std::vector<float>>(tokens * n_rows);
  kernels::FGemmArgs a{};
  a.row_bytes = row_bytes, a.depth = shape.depth, a.x = x->data(), a.x_stride = shape.depth;
  a.out = out->data(), a.out_stride = n_rows, a.n_rows = n_rows, a.n_tokens = tokens;
  const auto fn = kernels::as<kernels::FGemmFn>(kernel);
  return {double(n_rows) * double(shape.depth) * double(tokens), double(n_rows * row_bytes),
          [=, &weights](size_t call) mutable {
            a.weights = weights.copy(call);
            fn(a);
            (void)x, (void)out;
          }};
}

}  // namespace sterna::bench
