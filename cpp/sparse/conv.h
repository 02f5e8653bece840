// The convolution of sites by a kernel map: tiles of outputs stay in the cache while the kernel's offsets
// pass by, and are written once.
#pragma once

#include <cstddef>
#include <span>

#include "machine/memory.h"
#include "sterna/point_cloud.h"
#include "threads/pool.h"

/// Weights as kernels/contract/rows.h reads them, offset after offset.
struct sterna::SparseConv::Impl {
  size_t out_channels, volume, in_channels, n_panels;
  Buffer weights;  ///< [volume][n_panels][in_channels][16], columns beyond out_channels zero.
  std::vector<float> bias;
};

namespace sterna::sparse {

/// kOutOfMemory.
Result<Buffer> pack_weights(std::span<const float> weights, const SparseConv::Impl& layer);

/// Outputs of a tile for rows of so many floats: half of a first-level cache of 32 KB or more.
size_t tile_outputs(size_t row_floats);

/// What SparseConv::run() does with checked arguments. The result depends on neither threads nor `tile` (>=
/// 1).
Status convolve(const SparseConv::Impl& layer, const KernelMap::Impl& map, const float* x, float* out,
                ThreadPool& pool, const SparseConvOptions& options, size_t tile);

}  // namespace sterna::sparse
