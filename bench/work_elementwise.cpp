// The small operations around the matmuls, on vectors as long as the matrix is deep.
#include <memory>

#include "kernels/contract/elementwise.h"
#include "work.h"

namespace sterna::bench {
namespace {

struct Vectors {
  size_t n;
  std::vector<float> x, y, z;
  std::vector<int8_t> codes;
  std::vector<int32_t> sum;
  double bytes(int vectors) const { return 4.0 * vectors * double(n); }  ///< Read and written.
};

std::shared_ptr<Vectors> vectors(const Case& c) {
  auto v = std::make_shared<Vectors>();
  v->n = (c.shape.depth + 255) / 256 * 256;
  v->x = noise_floats(v->n), v->y = v->x, v->z = v->x;
  return v;
}

}  // namespace

Work work_quantize(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  v->codes.resize(v->n), v->sum.resize(v->n / 16);
  const auto fn = kernels::as<kernels::QuantizeFn>(kernel);
  return {0, v->bytes(1), [=](size_t) {
            fn({v->x.data(), v->n, 256, 16, v->codes.data(), v->y.data(), v->sum.data()});
          }};
}

Work work_rmsnorm(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  const auto fn = kernels::as<kernels::RmsNormFn>(kernel);
  return {0, v->bytes(3), [=](size_t) { fn(v->x.data(), v->y.data(), v->n, 1e-5f, v->z.data()); }};
}

/// Heads of 128, rotated by (0.6, 0.8) so that repetition neither grows nor shrinks them.
Work work_rope(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  v->y.assign(64, 0.6f), v->z.assign(64, 0.8f);
  const auto fn = kernels::as<kernels::RopeFn>(kernel);
  return {0, v->bytes(2), [=](size_t) {
            for (size_t i = 0; i < v->n / 128; ++i) fn(&v->x[i * 128], v->y.data(), v->z.data(), 128);
          }};
}

Work work_softmax(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  const auto fn = kernels::as<kernels::SoftmaxFn>(kernel);
  return {0, v->bytes(2), [=](size_t) { fn(v->x.data(), v->n, v->y.data()); }};
}

Work work_glu(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  const auto fn = kernels::as<kernels::GluFn>(kernel);
  return {0, v->bytes(3), [=](size_t) { fn(v->x.data(), v->y.data(), v->n, v->z.data()); }};
}

/// Of zeros: the sum must not grow to infinity over the repetitions.
Work work_add(const kernels::Kernel& kernel, const Case& c) {
  const auto v = vectors(c);
  v->x.assign(v->n, 0.0f);
  const auto fn = kernels::as<kernels::AddFn>(kernel);
  return {0, v->bytes(3), [=](size_t) { fn(v->x.data(), v->n, v->y.data()); }};
}

}  // namespace sterna::bench
