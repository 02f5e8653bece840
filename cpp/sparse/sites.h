// Sites of a grid, checked once, and their order: each is one number, so that sites sort and meet as numbers
// do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sterna/point_cloud.h"

namespace sterna::sparse {

constexpr size_t kMaxAxes = 5;  ///< The batch and four more.

/// The cells of a box low <= c <= high, numbered with the last axis fastest: 64 bits, since boxes have at
/// most 2^63 cells. Numbers rise with cells, and a step from cell to cell within the box always adds the
/// same.
struct Box {
  size_t n_axes = 0;
  int32_t low[kMaxAxes] = {}, high[kMaxAxes] = {};
  uint64_t weight[kMaxAxes] = {};

  /// False if there are more than 2^63 cells.
  bool number();
  uint64_t key(const int32_t* cell) const {
    uint64_t k = 0;
    for (size_t a = 0; a < n_axes; a++) k += (uint64_t(int64_t(cell[a]) - low[a])) * weight[a];
    return k;
  }
  void cell(uint64_t key, int32_t* to) const {
    for (size_t a = 0; a < n_axes; a++) {
      to[a] = int32_t(low[a] + int64_t(key / weight[a]));
      key %= weight[a];
    }
  }
};

/// The permutation that sorts keys, by their used bytes; equal keys keep their order. Sorts keys, too.
std::vector<int32_t> sort_keys(std::vector<uint64_t>& keys);

/// What Sites::create() does.
Result<Sites> make_sites(std::span<const int32_t> coords, std::span<const int32_t> shape, int32_t batch_size);
/// Sites from distinct sorted keys of a box.
Result<Sites> sites_of(const Box& box, std::vector<uint64_t> keys, std::vector<int32_t> shape,
                       int32_t batch_size);

}  // namespace sterna::sparse

struct sterna::Sites::Impl {
  std::vector<int32_t> coords, shape;
  int32_t batch_size = 0;
  sparse::Box box;             ///< Of the sites.
  std::vector<uint64_t> keys;  ///< Sorted ...
  std::vector<int32_t> order;  ///< ... and whose they are: row of each.
  const int32_t* at(size_t place) const { return &coords[size_t(order[place]) * box.n_axes]; }
};
