// The keys and values of all positions, layers and KV heads, as f16 or int8 (kernels/contract/attention.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/contract/attention.h"
#include "kernels/contract/elementwise.h"
#include "kernels/contract/qgemm.h"
#include "machine/memory.h"
#include "packing/packing.h"
#include "sterna/status.h"

namespace sterna::cpu {

enum class KvType { kF16, kInt8 };

/// "f16" or "int8". kInvalidArgument.
Result<KvType> kv_type(std::string_view name);

class KvCache {
 public:
  struct Shape {
    size_t n_layer, n_heads, head_dim, n_ctx;
  };
  /// Positions that store() may not write from several threads: a multiple of it starts memory of its own.
  static constexpr size_t kStoreGroup = 16;

  /// Memory for all positions, which the system provides when they are stored. kOutOfMemory.
  Status reserve(KvType type, const Shape& shape);
  const Shape& shape() const { return shape_; }
  size_t bytes_per_token() const;

  /// Keeps the keys and values of all heads ([n_heads][head_dim]) at a position; all before it are stored.
  void store(size_t layer, size_t position, const float* k, const float* v);

  /// The partial results of one chunk of one head, whose positions are stored; args.k and args.v are filled
  /// in here.
  void attend(size_t layer, size_t head, size_t chunk, const kernels::AttentionArgs& args) const;

 private:
  void store_f16(size_t layer, size_t position, const float* k, const float* v);
  void store_int8(size_t layer, size_t position, const float* k, const float* v);
  void attend_int8(size_t layer, size_t head, size_t chunk, const kernels::AttentionArgs& args) const;
  /// Start of a chunk in k_ and v_.
  size_t chunk_at(size_t layer, size_t head, size_t chunk, size_t chunk_bytes) const {
    return ((layer * shape_.n_heads + head) * n_chunks_ + chunk) * chunk_bytes;
  }

  KvType type_ = KvType::kF16;
  Shape shape_{};
  size_t n_chunks_ = 0, k_bytes_ = 0, v_bytes_ = 0;  // bytes: of a chunk
  // [layer][head][chunk], a chunk being f16 [position][head_dim], or int8 panels whose rows are positions (K)
  // or dimensions (V).
  Buffer k_, v_;
  Buffer v_scales_;  // int8: f32 [layer][head][position]
  PackedLayout k_panels_, v_panels_;
  kernels::AttentionFn* attention_ = nullptr;
  kernels::WeighFn* weigh_ = nullptr;
  kernels::QuantizeFn *quantize_row_ = nullptr, *quantize_block_ = nullptr;
  kernels::QGemmFn *scores_ = nullptr, *values_ = nullptr;
};

}  // namespace sterna::cpu
