// Kernel maps: for each offset of a kernel the pairs of an input and an output that it joins, in the order of
// the outputs. Built by merging sorted lists of sites, never by hashing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sparse/sites.h"
#include "sterna/point_cloud.h"

/// Pairs of offset k stand at begin[k] .. begin[k + 1] - 1. An output is named by its place among the sorted
/// sites of `out` (a tile of neighbouring places is a run of pairs), an input by its row.
struct sterna::KernelMap::Impl {
  Sites in, out;
  std::vector<size_t> begin{0};
  std::vector<int32_t> place{}, input{};
  size_t volume() const { return begin.size() - 1; }
};

namespace sterna::sparse {

/// What KernelMap::submanifold() and KernelMap::strided() do.
Result<KernelMap> submanifold_map(const Sites& sites, const ConvShape& shape);
Result<KernelMap> strided_map(const Sites& sites, const ConvShape& shape, SiteRule rule);

}  // namespace sterna::sparse
