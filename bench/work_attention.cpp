// Attention of 4 heads of 128 over as many positions as the matrix is deep, and the operations around it.
#include <memory>

#include "base/half.h"
#include "kernels/contract/attention.h"
#include "work.h"

namespace sterna::bench {
namespace {

using kernels::kAttentionChunk;
constexpr size_t kHeads = 4, kDim = 128, kRow = kernels::partial_floats(kDim);

struct Buffers {
  std::vector<float> x, y, z;
  std::vector<uint16_t> kv;
};
size_t positions(const Case& c) {
  return (c.shape.depth + kAttentionChunk - 1) / kAttentionChunk * kAttentionChunk;
}

}  // namespace

Work work_attention(const kernels::Kernel& kernel, const Case& c) {
  const size_t n = positions(c);
  auto b = std::make_shared<Buffers>();
  b->kv.resize(n * kDim);
  for (size_t i = 0; i < b->kv.size(); ++i) b->kv[i] = f32_to_f16(noise_float(i));
  b->x = noise_floats(n);
  b->x.resize(kHeads * kDim), b->y.resize(kHeads * kRow);
  const auto fn = kernels::as<kernels::AttentionFn>(kernel);
  return {2.0 * double(kHeads * kDim * n), 4.0 * double(n * kDim), [=](size_t) {
            for (size_t i = 0; i < n; i += kAttentionChunk) {
              const uint16_t* kv = b->kv.data() + i * kDim;
              fn({b->x.data(), 0, kv, kv, 1, kHeads, kDim, kAttentionChunk, 0.088f, b->y.data(), kRow});
            }
          }};
}

Work work_merge(const kernels::Kernel& kernel, const Case& c) {
  const size_t chunks = positions(c) / kAttentionChunk;
  auto b = std::make_shared<Buffers>();
  b->x.assign(chunks * kRow, 1.0f), b->y.resize(kDim);
  const auto fn = kernels::as<kernels::MergeFn>(kernel);
  return {0, 4.0 * double(chunks * kRow), [=](size_t) { fn(b->x.data(), kRow, chunks, kDim, b->y.data()); }};
}

Work work_weigh(const kernels::Kernel& kernel, const Case& c) {
  const size_t n = positions(c);
  auto b = std::make_shared<Buffers>();
  b->x = noise_floats(n), b->y = b->x, b->z = b->x;
  const auto fn = kernels::as<kernels::WeighFn>(kernel);
  return {0, 12.0 * double(n), [=](size_t) {
            for (size_t i = 0; i < n; i += kAttentionChunk) {
              float m, l;
              fn(b->x.data() + i, b->y.data() + i, kAttentionChunk, 0, b->z.data() + i, &m, &l);
            }
          }};
}

}  // namespace sterna::bench
