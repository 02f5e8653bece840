// The keys and values of all positions, layers and KV heads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "kernels/contract/attention.h"
#include "sterna/status.h"

namespace sterna::cpu {

class KvCache {
 public:
  struct Shape {
    size_t n_layer, n_heads, head_dim, n_ctx;
  };
  /// Memory for all positions, which the system provides when they are stored. kOutOfMemory.
  Status reserve(const Shape& shape);
  const Shape& shape() const { return shape_; }

  /// Keeps the keys and values of all heads ([n_heads][head_dim]) at a position. Different positions may run
  /// in parallel.
  void store(size_t layer, size_t position, const float* k, const float* v);

  /// The partial results of one chunk of one head, whose positions are stored; args.k and args.v are filled
  /// in here.
  void attend(size_t layer, size_t head, size_t chunk, kernels::AttentionArgs args) const;

 private:
  size_t offset(size_t layer, size_t head, size_t position) const;  // in elements

  Shape shape_{};
  kernels::AttentionFn* attention_ = nullptr;
  Buffer k_, v_;  // f16 [layer][head][position][head_dim]
};

}  // namespace sterna::cpu
