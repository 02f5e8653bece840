// Small clouds and what tests ask of their maps.
#pragma once

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "base/random.h"
#include "sterna/sterna.h"

namespace sterna::testing {

using Ints = std::vector<int32_t>;
using Pairs = std::vector<std::pair<int32_t, int32_t>>;

inline int between(Random& r, int low, int high) { return low + int(r.next() % uint64_t(high - low + 1)); }

inline Sites sites_of(const Ints& coords, const Ints& shape, int32_t batch_size = 1) {
  auto sites = Sites::create(coords, shape, batch_size);
  REQUIRE_MESSAGE(sites.ok(), sites.status().message());
  return sites.value();
}

inline const Threads& one_thread() {
  static const Threads threads = Threads::create(1).value();
  return threads;
}

inline Result<KernelMap> submanifold(const Sites& sites, const ConvShape& shape) {
  return KernelMap::submanifold(sites, shape, one_thread());
}

inline Result<KernelMap> strided_by(const Sites& sites, const ConvShape& shape,
                                    SiteRule rule = SiteRule::kConv) {
  return KernelMap::strided(sites, shape, one_thread(), rule);
}

/// (input, output) rows, in the map's order.
inline Pairs pairs(const KernelMap& map, size_t offset) {
  Ints in(map.n_pairs(offset)), out(in.size());
  map.pairs(offset, in, out);
  Pairs p;
  for (size_t i = 0; i < in.size(); i++) p.push_back({in[i], out[i]});
  return p;
}

/// Cells of a grid that a hash of them picks, shuffled.
inline Ints random_cells(uint64_t seed, const Ints& shape, int32_t batch_size, double share) {
  Random r(seed);
  std::vector<Ints> cells;
  size_t volume = size_t(batch_size);
  for (const int32_t s : shape) volume *= size_t(s);
  for (size_t i = 0; i < volume; i++) {
    if (r.uniform() >= share) continue;
    Ints cell(shape.size() + 1);
    size_t rest = i;
    for (size_t a = shape.size(); a-- > 0; rest /= size_t(shape[a]))
      cell[a + 1] = int32_t(rest % size_t(shape[a]));
    cell[0] = int32_t(rest);
    cells.push_back(cell);
  }
  for (size_t i = cells.size(); i > 1; i--) std::swap(cells[i - 1], cells[r.next() % i]);
  Ints all;
  for (const Ints& c : cells) all.insert(all.end(), c.begin(), c.end());
  return all;
}

inline std::vector<float> random_floats(uint64_t seed, size_t n) {
  Random r(seed);
  std::vector<float> v(n);
  for (float& x : v) x = float(r.uniform() * 4 - 2);
  return v;
}

}  // namespace sterna::testing
