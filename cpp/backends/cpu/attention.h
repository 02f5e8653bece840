// Attention of a pass's tokens over the KV cache, shared out among threads. A task serves all query heads of
// one KV head, so that keys and values are read once for the group.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "backends/cpu/kv_cache.h"
#include "machine/memory.h"
#include "sterna/status.h"
#include "threads/pool.h"

namespace sterna::cpu {

class Attention {
 public:
  /// Memory for the partial results of n_head query heads and any number of tokens. kOutOfMemory.
  Status reserve(const KvCache::Shape& cache, size_t n_head, int n_threads);

  /// out[t][n_head][head_dim] for n tokens at pos, pos + 1, ..., whose keys and values are in the cache. q is
  /// laid out like out.
  void run(ThreadPool& pool, const KvCache& cache, size_t layer, const float* q, size_t n, size_t pos,
           float scale, float* out);

 private:
  size_t n_head_ = 0, group_ = 0, block_ = 0, row_ = 0;  // group: heads per KV head; row: of a partial
  kernels::MergeFn* merge_ = nullptr;
  Buffer partials_;
  std::unique_ptr<std::atomic<size_t>[]> left_;  // chunks of a KV head that are not done
};

}  // namespace sterna::cpu
