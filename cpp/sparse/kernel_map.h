// Kernel maps: for each offset of a kernel the pairs of an input and an output that it joins, in the order of
// the outputs. Built by merging sorted lists of sites, never by hashing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/memory.h"
#include "sparse/sites.h"
#include "sterna/point_cloud.h"
#include "threads/pool.h"

/// Pairs of offset k stand at begin[k] .. begin[k + 1] - 1. An output is named by its place among the sorted
/// sites of `out` (a tile of neighbouring places is a run of pairs), an input by its row.
struct sterna::KernelMap::Impl {
  Sites in, out;
  std::vector<size_t> begin{0};
  int32_t *place = nullptr, *input = nullptr;
  Buffer memory{};
  size_t volume() const { return begin.size() - 1; }
  size_t n_pairs() const { return begin.back(); }

  /// Room for so many pairs: huge pages where there are such, since the faults of small ones cost more than a
  /// map. kOutOfMemory.
  Status allocate(size_t n) {
    memory = Buffer::allocate(2 * n * sizeof(int32_t), true);
    if (n && memory.empty()) return Status(Code::kOutOfMemory, "[kernel map] no memory for its pairs");
    place = memory.as<int32_t>(), input = place + n;
    return {};
  }

  struct Run {
    size_t first, n;
  };
  /// The pairs of offset k with outputs at places first_place .. first_place + n_places - 1.
  Run run(size_t k, size_t first_place, size_t n_places) const {
    const int32_t *const from = place + begin[k], *const to = place + begin[k + 1];
    const int32_t* const first = std::lower_bound(from, to, int32_t(first_place));
    const int32_t* const most = first + std::min(ptrdiff_t(n_places), to - first);
    const int32_t* const end =
        std::partition_point(first, most, [&](int32_t p) { return size_t(p) < first_place + n_places; });
    return {size_t(first - place), size_t(end - first)};
  }
};

namespace sterna::sparse {

/// What the functions of KernelMap of these names do. The pairs and their order are the same for every number
/// of threads.
Result<KernelMap> submanifold_map(const Sites& sites, const ConvShape& shape, ThreadPool& pool);
Result<KernelMap> strided_map(const Sites& sites, const ConvShape& shape, SiteRule rule, ThreadPool& pool);
Result<KernelMap> transposed_map(const Sites& sites, const ConvShape& shape,
                                 const std::vector<int32_t>& output_padding, ThreadPool& pool);
Result<KernelMap> inverse_map(const KernelMap& map);

}  // namespace sterna::sparse
