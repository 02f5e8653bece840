// Pooling of sites: over the inputs that meet each output, or over all of a batch index.
#pragma once

#include <cstddef>

#include "sparse/kernel_map.h"
#include "sterna/point_cloud.h"
#include "threads/pool.h"

namespace sterna::sparse {

/// What sparse_pool() does with checked arguments.
void pool_sites(const KernelMap::Impl& map, SparsePool kind, const float* x, size_t channels, float* out,
                ThreadPool& pool);
/// What sparse_global_pool() does with checked arguments.
void pool_batches(const Sites::Impl& sites, SparsePool kind, const float* x, size_t channels, float* out,
                  ThreadPool& pool);

}  // namespace sterna::sparse
