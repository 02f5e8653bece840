// Packs the weights of a sparse convolution and runs it, tile by tile of outputs.
#include "sparse/conv.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/checked_math.h"
#include "kernels/contract/rows.h"
#include "kernels/registry.h"
#include "sparse/kernel_map.h"

namespace sterna::sparse {
namespace {

Status no_memory(uint64_t bytes) {
  return Status(Code::kOutOfMemory, "[sparse conv] no memory for " + std::to_string(bytes) + " bytes");
}

/// One output row: chain, then bias, then residual, then ReLU.
void finish(const float* acc, const SparseConv::Impl& layer, const float* residual, bool relu, float* out) {
  const size_t n = layer.out_channels;
  const float* bias = layer.bias.empty() ? nullptr : layer.bias.data();
  for (size_t c = 0; c < n; c++) {
    float y = acc[c];
    if (bias) y += bias[c];
    if (residual) y += residual[c];
    out[c] = relu && y < 0 ? 0 : y;  // of a NaN, NaN
  }
}

/// The outputs at places first .. first + n - 1 of the sorted sites.
void run_tile(kernels::RowsFn* rows, const SparseConv::Impl& layer, const KernelMap::Impl& map,
              const float* x, size_t first, size_t n, float* acc) {
  const size_t width = 16 * layer.n_panels;
  std::fill_n(acc, n * width, 0.0f);
  for (size_t k = 0; k < layer.volume; k++) {
    const KernelMap::Impl::Run run = map.run(k, first, n);
    if (run.n == 0) continue;
    rows({x, layer.in_channels, layer.in_channels, layer.weights.as<float>() + k * width * layer.in_channels,
          layer.n_panels, map.input + run.first, map.place + run.first, run.n, int32_t(first), acc, width});
  }
}

}  // namespace

Result<Buffer> pack_weights(std::span<const float> weights, const SparseConv::Impl& layer) {
  uint64_t floats;
  if (!checked_mul(layer.volume * 16 * layer.n_panels, layer.in_channels * sizeof(float), &floats))
    return no_memory(~uint64_t(0));
  Buffer packed = Buffer::allocate(floats);
  if (packed.empty()) return no_memory(floats);
  float* to = packed.as<float>();
  for (size_t k = 0; k < layer.volume; k++)
    for (size_t p = 0; p < layer.n_panels; p++)
      for (size_t i = 0; i < layer.in_channels; i++, to += 16)
        for (size_t c = 16 * p; c < std::min(16 * p + 16, layer.out_channels); c++)
          to[c % 16] = weights[(c * layer.volume + k) * layer.in_channels + i];
  return packed;
}

size_t tile_outputs(size_t row_floats) { return std::clamp<size_t>(4096 / row_floats, 16, 128); }

Status convolve(const SparseConv::Impl& layer, const KernelMap::Impl& map, const float* x, float* out,
                ThreadPool& pool, const SparseConvOptions& options, size_t tile) {
  const Sites::Impl& sites = map.out.impl();
  const size_t n = sites.keys.size(), width = 16 * layer.n_panels;
  if (n == 0) return {};
  tile = std::min(tile, n);
  const Buffer scratch = Buffer::allocate(size_t(pool.size()) * tile * width * sizeof(float));
  if (scratch.empty()) return no_memory(size_t(pool.size()) * tile * width * sizeof(float));
  kernels::RowsFn* const rows = kernels::find_fn<kernels::RowsFn>(kernels::Family::rows, "f32");
  const float* residual = options.residual.empty() ? nullptr : options.residual.data();
  pool.run(ceil_div(n, tile), [&](size_t task, size_t thread) {
    float* const acc = scratch.as<float>() + thread * tile * width;
    const size_t first = task * tile, count = std::min(tile, n - first);
    run_tile(rows, layer, map, x, first, count, acc);
    for (size_t r = 0; r < count; r++) {
      const size_t at = size_t(sites.order[first + r]) * layer.out_channels;
      finish(acc + r * width, layer, residual ? residual + at : nullptr, options.relu, out + at);
    }
  });
  return {};
}

}  // namespace sterna::sparse
