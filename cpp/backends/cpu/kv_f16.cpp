// Keys and values as f16: per head [position][head_dim] of K, then of V.
#include <cstring>

#include "backends/cpu/kv.h"
#include "base/half.h"
#include "kernels/registry.h"

namespace sterna::cpu {
namespace {

class KvF16 : public KvType {
 public:
  explicit KvF16(const KvShape& shape)
      : KvType(shape, shape.n_heads * 2 * kPagePositions * shape.head_dim * sizeof(uint16_t)),
        half_(kPagePositions * shape.head_dim),
        attention_(kernels::find_fn<kernels::AttentionFn>(kernels::Family::attention, "f16")) {}

  void store(uint8_t* page, size_t place, const float* k, const float* v) const override {
    const size_t hd = shape().head_dim;
    uint16_t* to = reinterpret_cast<uint16_t*>(page) + place * hd;
    for (size_t head = 0; head < shape().n_heads; head++, k += hd, v += hd, to += 2 * half_) {
      for (size_t d = 0; d < hd; d++) to[d] = f32_to_f16(k[d]);
      for (size_t d = 0; d < hd; d++) to[half_ + d] = f32_to_f16(v[d]);
    }
  }

  void attend(const uint8_t* page, size_t head, const kernels::AttentionArgs& args) const override {
    kernels::AttentionArgs full = args;
    full.k = reinterpret_cast<const uint16_t*>(page) + head * 2 * half_;
    full.v = full.k + half_;
    attention_(full);
  }

  void copy(const uint8_t* from, size_t n, uint8_t* to) const override {
    const size_t bytes = half_ * sizeof(uint16_t);
    for (size_t i = 0; i < 2 * shape().n_heads; i++)
      std::memcpy(to + i * bytes, from + i * bytes, n * shape().head_dim * sizeof(uint16_t));
  }

 private:
  size_t half_;  // elements of K, or of V, of a head
  kernels::AttentionFn* attention_;
};

}  // namespace

std::unique_ptr<const KvType> make_kv_f16(const KvShape& shape) { return std::make_unique<KvF16>(shape); }

}  // namespace sterna::cpu
