// Builds kernel maps by merging sorted lists of sites.
#include "sparse/kernel_map.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "sparse/geometry.h"

namespace sterna::sparse {
namespace {

using Ints = std::vector<int32_t>;

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[kernel map] " + what); }

/// The coordinates of sorted sites on one axis.
Ints axis_of(const Sites::Impl& sites, size_t axis) {
  Ints c(sites.keys.size());
  for (size_t i = 0; i < c.size(); i++) c[i] = sites.at(i)[axis];
  return c;
}

void append(KernelMap::Impl& map, const Ints& place, const Ints& input) {
  map.place.insert(map.place.end(), place.begin(), place.end());
  map.input.insert(map.input.end(), input.begin(), input.end());
  map.begin.push_back(map.place.size());
}

/// Places i and o of sorted sites with cell(i) = cell(o) + step, both ascending.
struct Neighbours {
  Ints i, o;
};

/// `axes`: the coordinates of sorted sites on each axis but the batch's. Within the box, adding the step's
/// number to a cell's gives the neighbour's number; outputs whose neighbour lies outside of it are passed by.
Neighbours neighbours(const Sites::Impl& sites, const std::vector<Ints>& axes, const int64_t* step) {
  Neighbours found;
  const Box& box = sites.box;
  int64_t from[kMaxAxes], to[kMaxAxes];
  uint64_t add = 0;
  for (size_t a = 0; a < axes.size(); a++) {
    from[a] = box.low[a + 1] - std::min<int64_t>(step[a], 0);
    to[a] = box.high[a + 1] - std::max<int64_t>(step[a], 0);
    if (from[a] > to[a]) return found;
    add += uint64_t(step[a]) * box.weight[a + 1];
  }
  const std::vector<uint64_t>& keys = sites.keys;
  size_t i = 0;
  for (size_t o = 0; o < keys.size(); o++) {
    bool inside = true;
    for (size_t a = 0; a < axes.size(); a++) inside &= axes[a][o] >= from[a] && axes[a][o] <= to[a];
    if (!inside) continue;
    const uint64_t key = keys[o] + add;
    while (i < keys.size() && keys[i] < key) i++;
    if (i == keys.size()) break;
    if (keys[i] != key) continue;
    found.i.push_back(int32_t(i));
    found.o.push_back(int32_t(o));
  }
  return found;
}

Ints rows_of(const Sites::Impl& sites, const Ints& places) {
  Ints rows(places.size());
  for (size_t i = 0; i < rows.size(); i++) rows[i] = sites.order[size_t(places[i])];
  return rows;
}

/// Where the inputs go on one axis: outs[k][place], -1 for nowhere.
struct AxisOuts {
  std::vector<Ints> outs;
  int32_t low = std::numeric_limits<int32_t>::max(), high = -1;
};

/// o*stride - padding + k*dilation = c, for o in low .. high.
AxisOuts axis_outs(const Ints& c, const Geometry& g, size_t axis, int64_t padding, int64_t low,
                   int64_t high) {
  AxisOuts found;
  for (int32_t k = 0; k < g.kernel[axis]; k++) {
    Ints outs(c.size(), -1);
    for (size_t i = 0; i < c.size(); i++) {
      const int64_t t = c[i] + padding - int64_t(k) * g.dilation[axis], o = t / g.stride[axis];
      if (t < 0 || o * g.stride[axis] != t || o < low || o > high) continue;
      outs[i] = int32_t(o);
      found.low = std::min(found.low, outs[i]);
      found.high = std::max(found.high, outs[i]);
    }
    found.outs.push_back(std::move(outs));
  }
  return found;
}

/// The pairs of one offset: numbers of outputs, ascending, and rows of inputs.
struct Meetings {
  std::vector<uint64_t> keys;
  Ints input;
};

/// For a fixed offset distinct inputs have distinct outputs, in the same order.
Meetings meetings(const Sites::Impl& in, const Geometry& g, const std::vector<AxisOuts>& axes, const Box& box,
                  const Ints& batch, size_t k) {
  Meetings found;
  int32_t offset[kMaxAxes], cell[kMaxAxes];
  g.offset(k, offset);
  for (size_t i = 0; i < batch.size(); i++) {
    bool meets = true;
    cell[0] = batch[i];
    for (size_t a = 0; a < axes.size() && meets; a++) {
      cell[a + 1] = axes[a].outs[size_t(offset[a])][i];
      meets = cell[a + 1] >= 0;
    }
    if (!meets) continue;
    found.keys.push_back(box.key(cell));
    found.input.push_back(in.order[i]);
  }
  return found;
}

/// All keys of sorted lists, once each: lists are joined two by two.
std::vector<uint64_t> join(const std::vector<Meetings>& lists) {
  std::vector<std::vector<uint64_t>> joined;
  for (const Meetings& m : lists) joined.push_back(m.keys);
  for (size_t step = 1; step < joined.size(); step *= 2)
    for (size_t i = 0; i + step < joined.size(); i += 2 * step) {
      std::vector<uint64_t> both;
      std::set_union(joined[i].begin(), joined[i].end(), joined[i + step].begin(), joined[i + step].end(),
                     std::back_inserter(both));
      joined[i] = std::move(both);
      joined[i + step] = {};
    }
  return std::move(joined[0]);
}

/// floor(site / stride): the box of these, and their sorted keys.
std::vector<uint64_t> floors(const Sites::Impl& in, const Geometry& g, Box* box) {
  *box = in.box;
  const auto down = [&](int32_t c, size_t axis) { return axis ? c / g.stride[axis - 1] : c; };
  for (size_t a = 0; a < box->n_axes; a++)
    box->low[a] = down(box->low[a], a), box->high[a] = down(box->high[a], a);
  box->number();  // fits: it is no larger than that of the sites
  std::vector<uint64_t> keys(in.keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    int32_t cell[kMaxAxes];
    for (size_t a = 0; a < box->n_axes; a++) cell[a] = down(in.at(i)[a], a);
    keys[i] = box->key(cell);
  }
  sort_keys(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

/// The output grid.
Result<Ints> out_shape(const Ints& shape, const Geometry& g, SiteRule rule) {
  Ints out;
  for (size_t a = 0; a < g.dims(); a++) {
    const int64_t size = shape[a], stride = g.stride[a];
    const int64_t room = size + 2 * int64_t(g.padding[a]) - int64_t(g.dilation[a]) * (g.kernel[a] - 1) - 1;
    const int64_t n = rule == SiteRule::kFloor ? (size + stride - 1) / stride
                      : room < 0               ? 0
                                               : room / stride + 1;
    if (n < 1 || n > std::numeric_limits<int32_t>::max())
      return bad("the output grid would have " + std::to_string(n) + " places on axis " + std::to_string(a) +
                 ", from shape " + text(shape) + ", kernel " + text(g.kernel) + ", stride " + text(g.stride) +
                 ", padding " + text(g.padding) + ", dilation " + text(g.dilation));
    out.push_back(int32_t(n));
  }
  return out;
}

/// Finds each meeting's output among the sorted keys; those that have none are left out.
void append(KernelMap::Impl& map, const Meetings& m, const std::vector<uint64_t>& keys) {
  size_t place = 0;
  for (size_t i = 0; i < m.keys.size(); i++) {
    while (place < keys.size() && keys[place] < m.keys[i]) place++;
    if (place == keys.size()) break;
    if (keys[place] != m.keys[i]) continue;
    map.place.push_back(int32_t(place));
    map.input.push_back(m.input[i]);
  }
  map.begin.push_back(map.place.size());
}

}  // namespace

/// Only the lower half of the offsets is searched: the pairs of the mirrored offset are the same, the other
/// way round, and rise as these do.
Result<KernelMap> submanifold_map(const Sites& sites, const ConvShape& shape) {
  if (!shape.stride.empty() || !shape.padding.empty())
    return bad("stride or padding, got one for a submanifold layer, expected none");
  STERNA_ASSIGN(const Geometry g, Geometry::of(shape, sites.dims()));
  for (const int32_t n : g.kernel)
    if (n % 2 == 0)
      return bad("kernel, got " + text(g.kernel) + " for a submanifold layer, expected odd sizes");
  const Sites::Impl& s = sites.impl();
  std::vector<Ints> axes;
  for (size_t a = 1; a <= g.dims(); a++) axes.push_back(axis_of(s, a));
  std::vector<Neighbours> lower;
  for (size_t k = 0; k < g.volume / 2; k++) {
    int32_t offset[kMaxAxes];
    int64_t step[kMaxAxes];
    g.offset(k, offset);
    for (size_t a = 0; a < g.dims(); a++) step[a] = (int64_t(offset[a]) - g.kernel[a] / 2) * g.dilation[a];
    lower.push_back(neighbours(s, axes, step));
  }
  auto map = std::make_shared<KernelMap::Impl>(KernelMap::Impl{sites, sites});
  for (const Neighbours& n : lower) append(*map, n.o, rows_of(s, n.i));
  Ints all(s.keys.size());
  for (size_t i = 0; i < all.size(); i++) all[i] = int32_t(i);
  append(*map, all, s.order);
  for (size_t k = lower.size(); k-- > 0;) append(*map, lower[k].i, rows_of(s, lower[k].o));
  return KernelMap(std::move(map));
}

Result<KernelMap> strided_map(const Sites& sites, const ConvShape& shape, SiteRule rule) {
  STERNA_ASSIGN(const Geometry g, Geometry::of(shape, sites.dims()));
  const bool is_floor = rule == SiteRule::kFloor;
  if (is_floor && !shape.padding.empty()) return bad("padding, got one with the rule floor, expected none");
  const Sites::Impl& in = sites.impl();
  STERNA_ASSIGN(Ints out_grid, out_shape(in.shape, g, rule));
  Box box = in.box;
  std::vector<uint64_t> keys;
  if (is_floor) keys = floors(in, g, &box);
  std::vector<AxisOuts> axes;
  for (size_t a = 0; a < g.dims(); a++) {
    const int64_t padding = !is_floor         ? g.padding[a]
                            : g.kernel[a] % 2 ? g.kernel[a] / 2 * int64_t(g.dilation[a])
                                              : 0;
    const int64_t low = is_floor ? box.low[a + 1] : 0, high = is_floor ? box.high[a + 1] : out_grid[a] - 1;
    axes.push_back(axis_outs(axis_of(in, a + 1), g, a, padding, low, high));
    if (is_floor) continue;
    box.low[a + 1] = std::min(axes[a].low, std::max(axes[a].high, 0));  // without outputs a box of one cell
    box.high[a + 1] = std::max(axes[a].high, 0);
  }
  if (!box.number())
    return Status(Code::kUnsupported, "[kernel map] outputs lie in a box of more than 2^63 cells");
  const Ints batch = axis_of(in, 0);
  std::vector<Meetings> met;
  for (size_t k = 0; k < g.volume; k++) met.push_back(meetings(in, g, axes, box, batch, k));
  if (!is_floor) keys = join(met);
  if (keys.empty() && !in.keys.empty())
    return bad("no output meets a site, with shape " + text(in.shape) + ", kernel " + text(g.kernel) +
               ", stride " + text(g.stride) + ", padding " + text(g.padding) + ", dilation " +
               text(g.dilation));
  STERNA_ASSIGN(const Sites out, sites_of(box, keys, std::move(out_grid), in.batch_size));
  auto map = std::make_shared<KernelMap::Impl>(KernelMap::Impl{sites, out});
  for (const Meetings& m : met) append(*map, m, keys);
  return KernelMap(std::move(map));
}

}  // namespace sterna::sparse
