// The oracle of sparse convolution: for each output and offset the input is looked for among all sites, and
// one chain of fma runs over offsets and channels.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace sterna::reference {

using Cell = std::vector<int64_t>;  ///< Batch, coordinates.

struct SparseConv {
  std::vector<int64_t> kernel, stride, padding, dilation;
  size_t out_channels, in_channels;
  std::vector<float> weights;  ///< [out][volume][in].

  size_t volume() const {
    size_t n = 1;
    for (const int64_t k : kernel) n *= size_t(k);
    return n;
  }

  /// One output row.
  std::vector<float> at(const Cell& site, const std::map<Cell, size_t>& inputs,
                        const std::vector<float>& x) const {
    std::vector<float> acc(out_channels);
    for (size_t k = 0; k < volume(); k++) {
      Cell cell = site;
      size_t rest = k;
      for (size_t a = kernel.size(); a-- > 0; rest /= size_t(kernel[a]))
        cell[a + 1] = site[a + 1] * stride[a] - padding[a] + int64_t(rest % size_t(kernel[a])) * dilation[a];
      const auto found = inputs.find(cell);
      if (found == inputs.end()) continue;
      for (size_t c = 0; c < out_channels; c++)
        for (size_t i = 0; i < in_channels; i++)
          acc[c] = std::fma(x[found->second * in_channels + i], weights[(c * volume() + k) * in_channels + i],
                            acc[c]);
    }
    return acc;
  }
};

}  // namespace sterna::reference
