// The f16 layout: the positions of a head lie one after the other, so a chunk is one stretch of memory.
#include "backends/cpu/kv_cache.h"

#include <string>

#include "base/half.h"
#include "kernels/registry.h"

namespace sterna::cpu {

Status KvCache::reserve(const Shape& shape) {
  shape_ = shape;
  attention_ = kernels::find_fn<kernels::AttentionFn>(kernels::Family::attention, "f16");
  const size_t bytes = offset(shape.n_layer, 0, 0) * sizeof(uint16_t);
  k_ = Buffer::allocate(bytes);
  v_ = Buffer::allocate(bytes);
  if (k_.empty() || v_.empty())
    return Status(Code::kOutOfMemory, "[model] no memory for a context of " + std::to_string(shape.n_ctx) +
                                          " tokens (" + std::to_string(2 * bytes) +
                                          " bytes of KV cache); use a smaller n_ctx");
  return {};
}

size_t KvCache::offset(size_t layer, size_t head, size_t position) const {
  return ((layer * shape_.n_heads + head) * shape_.n_ctx + position) * shape_.head_dim;
}

void KvCache::store(size_t layer, size_t position, const float* k, const float* v) {
  const size_t hd = shape_.head_dim;
  for (size_t head = 0; head < shape_.n_heads; head++, k += hd, v += hd) {
    uint16_t* to_k = k_.as<uint16_t>() + offset(layer, head, position);
    uint16_t* to_v = v_.as<uint16_t>() + offset(layer, head, position);
    for (size_t d = 0; d < hd; d++) to_k[d] = f32_to_f16(k[d]), to_v[d] = f32_to_f16(v[d]);
  }
}

void KvCache::attend(size_t layer, size_t head, size_t chunk, kernels::AttentionArgs args) const {
  args.k = k_.as<uint16_t>() + offset(layer, head, chunk * kernels::kAttentionChunk);
  args.v = v_.as<uint16_t>() + offset(layer, head, chunk * kernels::kAttentionChunk);
  attention_(args);
}

}  // namespace sterna::cpu
