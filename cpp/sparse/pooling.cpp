// Pools sites: each output's channels are folded in one order, whoever does it.
#include "sparse/pooling.h"

#include <algorithm>
#include <array>

#include "base/checked_math.h"

namespace sterna::sparse {
namespace {

constexpr size_t kTile = 64;      ///< Outputs of a task.
constexpr size_t kChannels = 16;  ///< Channels of a task that pools a batch index.

/// The larger of two; a NaN stays and wins.
float larger(float a, float b) { return b > a || (b != b && a == a) ? b : a; }

}  // namespace

void pool_sites(const KernelMap::Impl& map, SparsePool kind, const float* x, size_t channels, float* out,
                ThreadPool& pool) {
  const std::vector<int32_t>& order = map.out.impl().order;
  const bool is_max = kind == SparsePool::kMax;
  pool.run(ceil_div(order.size(), kTile), [&](size_t task) {
    const size_t first = task * kTile, n = std::min(kTile, order.size() - first);
    std::array<int32_t, kTile> met{};
    const auto row = [&](size_t p) { return out + size_t(order[p]) * channels; };
    for (size_t p = first; p < first + n; p++) std::fill_n(row(p), channels, 0.0f);
    for (size_t k = 0; k < map.volume(); k++) {
      const KernelMap::Impl::Run run = map.run(k, first, n);
      for (size_t j = run.first; j < run.first + run.n; j++) {
        const size_t p = size_t(map.place[j]);
        const float* const from = x + size_t(map.input[j]) * channels;
        float* const to = row(p);
        const bool is_first = met[p - first]++ == 0;
        if (!is_max)
          for (size_t c = 0; c < channels; c++) to[c] += from[c];
        else if (is_first)
          std::copy_n(from, channels, to);
        else
          for (size_t c = 0; c < channels; c++) to[c] = larger(to[c], from[c]);
      }
    }
    for (size_t p = first; p < first + n && !is_max; p++)
      for (size_t c = 0; c < channels && met[p - first]; c++) row(p)[c] /= float(met[p - first]);
  });
}

void pool_batches(const Sites::Impl& sites, SparsePool kind, const float* x, size_t channels, float* out,
                  ThreadPool& pool) {
  const size_t n_blocks = ceil_div(channels, kChannels);
  pool.run(size_t(sites.batch_size) * n_blocks, [&](size_t task) {
    const int32_t batch = int32_t(task / n_blocks);
    const size_t channel = task % n_blocks * kChannels, n = std::min(kChannels, channels - channel);
    const auto starts = [&](int64_t b) {  // the place of the first site of this batch index or of a later one
      return std::partition_point(sites.order.begin(), sites.order.end(), [&](int32_t row) {
        return sites.coords[size_t(row) * sites.box.n_axes] < b;
      });
    };
    const auto first = starts(batch), end = starts(int64_t(batch) + 1);
    std::array<double, kChannels> sum{};
    std::array<float, kChannels> most{};
    for (auto p = first; p < end; p++) {
      const float* const from = x + size_t(*p) * channels + channel;
      for (size_t c = 0; c < n; c++) {
        sum[c] += double(from[c]);
        most[c] = p == first ? from[c] : larger(most[c], from[c]);
      }
    }
    const double count = double(std::max<ptrdiff_t>(end - first, 1));
    for (size_t c = 0; c < n; c++)
      out[size_t(batch) * channels + channel + c] =
          kind == SparsePool::kMax ? most[c] : float(sum[c] / count);
  });
}

}  // namespace sterna::sparse
