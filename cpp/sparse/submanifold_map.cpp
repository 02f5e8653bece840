// Kernel maps of submanifold layers: which sites are neighbours, by walking two pointers over their sorted
// numbers.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "sparse/geometry.h"
#include "sparse/kernel_map.h"

namespace sterna::sparse {
namespace {

using Ints = std::vector<int32_t>;

constexpr size_t kSlab = 4096;   ///< Outputs of a task.
constexpr size_t kMaxSteps = 8;  ///< Offsets of a walk.

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[kernel map] " + what); }

/// Offsets first .. first + n - 1 of the kernel, which differ on the last axis only: `step` leads to the
/// first of them.
struct Walk {
  size_t first, n;
  int64_t step[kMaxAxes];  ///< The batch's is 0.
};

/// Places i and o of sorted sites with cell(i) = cell(o) + step, both ascending.
struct Neighbours {
  Ints i, o;
};

/// Whether the step leads from any cell of the box to another.
bool fits(const Box& box, const int64_t* step) {
  for (size_t a = 0; a < box.n_axes; a++)
    if (std::abs(step[a]) > int64_t(box.high[a]) - box.low[a]) return false;
  return true;
}

/// The lower half of the offsets, without those that lead out of the box from everywhere.
std::vector<Walk> walks(const Box& box, const Geometry& g) {
  std::vector<Walk> all;
  const size_t last = g.dims();
  for (size_t k = 0; k < g.volume / 2; k++) {
    int32_t offset[kMaxAxes];
    Walk w{k, 1, {}};
    g.offset(k, offset);
    for (size_t a = 0; a < last; a++) w.step[a + 1] = (int64_t(offset[a]) - g.kernel[a] / 2) * g.dilation[a];
    if (!fits(box, w.step)) continue;
    const bool goes_on = !all.empty() && offset[last - 1] > 0 && all.back().n < kMaxSteps &&
                         all.back().first + all.back().n == k;
    if (goes_on)
      all.back().n++;
    else
      all.push_back(w);
  }
  return all;
}

/// Takes out pairs whose numbers differ by the step's though the cells do not: the step led over the edge of
/// the box, into another row of it.
size_t keep_true(const Sites::Impl& s, const int64_t* step, int32_t* i, int32_t* o, size_t n) {
  size_t kept = 0;
  for (size_t j = 0; j < n; j++) {
    const int32_t *from = s.at(size_t(o[j])), *to = s.at(size_t(i[j]));
    bool same = true;
    for (size_t a = 0; a < s.box.n_axes; a++) same &= to[a] == from[a] + step[a];
    i[kept] = i[j], o[kept] = o[j];
    kept += same;
  }
  return kept;
}

/// The neighbours of outputs begin .. end - 1 for each step of the walk. All steps lead to lower numbers, so
/// that the pointers never pass the output itself; numbers are below 2^63, their differences above -2^63.
template <bool kUnit>
void go(const Sites::Impl& s, const Walk& w, int64_t dilation, size_t begin, size_t end, Neighbours* found) {
  const auto key = [&](size_t p) { return int64_t(s.keys[p]); };
  int64_t add = 0;
  for (size_t a = 0; a < s.box.n_axes; a++) add += w.step[a] * int64_t(s.box.weight[a]);
  size_t i = size_t(std::partition_point(s.keys.begin(), s.keys.begin() + ptrdiff_t(begin),
                                         [&](uint64_t k) { return int64_t(k) < key(begin) + add; }) -
                    s.keys.begin());
  const size_t room = end - begin;
  const auto met = std::make_unique_for_overwrite<int32_t[]>(2 * w.n * room);  // inputs, outputs of each step
  size_t n[kMaxSteps] = {};
  for (size_t o = begin; o < end; o++) {
    int64_t want = key(o) + add;
    while (key(i) < want) i++;
    size_t t = i;
    for (size_t k = 0; k < w.n; k++, want += kUnit ? 1 : dilation) {
      if (!kUnit)
        while (key(t) < want) t++;
      met[2 * k * room + n[k]] = int32_t(t);
      met[(2 * k + 1) * room + n[k]] = int32_t(o);
      const bool is = key(t) == want;
      n[k] += is, t += is;
    }
  }
  for (size_t k = 0; k < w.n; k++) {
    int32_t *const is = &met[2 * k * room], *const os = is + room;
    int64_t step[kMaxAxes];
    std::copy(w.step, w.step + kMaxAxes, step);
    step[s.box.n_axes - 1] += int64_t(k) * dilation;
    const size_t kept = keep_true(s, step, is, os, n[k]);
    found[k].i.assign(is, is + kept);
    found[k].o.assign(os, os + kept);
  }
}

/// What was found, and its mirror image, as the pairs of all offsets; kOutOfMemory. found: slab after slab of
/// each walk.
Status write(const std::vector<Walk>& all, const std::vector<std::vector<Neighbours>>& found, size_t volume,
             KernelMap::Impl& map, ThreadPool& pool) {
  const Sites::Impl& s = map.in.impl();
  const size_t n = s.keys.size(), half = volume / 2, n_slabs = ceil_div(n, kSlab);
  std::vector<size_t> count(volume), at(found.size() * kMaxSteps);  // at: where a step's pairs begin
  count[half] = n;
  for (size_t f = 0; f < found.size(); f++)
    for (size_t k = 0; k < found[f].size(); k++) {
      size_t& c = count[all[f / n_slabs].first + k];
      at[f * kMaxSteps + k] = c;
      c += found[f][k].i.size();
    }
  for (size_t k = 0; k < half; k++) count[volume - 1 - k] = count[k];
  for (size_t k = 0; k < volume; k++) map.begin.push_back(map.begin[k] + count[k]);
  STERNA_RETURN_IF_ERROR(map.allocate(map.begin.back()));
  pool.run(found.size() + 1, [&](size_t task) {
    if (task == found.size()) {
      const size_t centre = map.begin[half];
      for (size_t i = 0; i < n; i++) map.place[centre + i] = int32_t(i), map.input[centre + i] = s.order[i];
      return;
    }
    for (size_t k = 0; k < found[task].size(); k++) {
      const Neighbours& pairs = found[task][k];
      const size_t offset = all[task / n_slabs].first + k, from = at[task * kMaxSteps + k];
      const size_t low = map.begin[offset] + from, high = map.begin[volume - 1 - offset] + from;
      for (size_t j = 0; j < pairs.i.size(); j++) {
        map.place[low + j] = pairs.o[j], map.input[low + j] = s.order[size_t(pairs.i[j])];
        map.place[high + j] = pairs.i[j], map.input[high + j] = s.order[size_t(pairs.o[j])];
      }
    }
  });
  return {};
}

}  // namespace

/// Only the lower half of the offsets is searched: the pairs of the mirrored offset are the same, the other
/// way round, and rise as these do.
Result<KernelMap> submanifold_map(const Sites& sites, const ConvShape& shape, ThreadPool& pool) {
  if (!shape.stride.empty() || !shape.padding.empty())
    return bad("stride or padding, got one for a submanifold layer, expected none");
  STERNA_ASSIGN(const Geometry g, Geometry::of(shape, sites.dims()));
  for (const int32_t n : g.kernel)
    if (n % 2 == 0)
      return bad("kernel, got " + text(g.kernel) + " for a submanifold layer, expected odd sizes");
  const Sites::Impl& s = sites.impl();
  const size_t n = s.keys.size(), n_slabs = ceil_div(n, kSlab);
  const std::vector<Walk> all = n ? walks(s.box, g) : std::vector<Walk>();
  std::vector<std::vector<Neighbours>> found(all.size() * n_slabs);  // of a walk and a slab: of each step
  pool.run(found.size(), [&](size_t task) {
    const Walk& w = all[task / n_slabs];
    const size_t begin = task % n_slabs * kSlab;
    found[task].resize(w.n);
    (g.dilation.back() == 1 ? go<true> : go<false>)(s, w, g.dilation.back(), begin,
                                                    std::min(begin + kSlab, n), found[task].data());
  });
  auto map = std::make_shared<KernelMap::Impl>(KernelMap::Impl{sites, sites});
  STERNA_RETURN_IF_ERROR(write(all, found, g.volume, *map, pool));
  return KernelMap(std::move(map));
}

}  // namespace sterna::sparse
