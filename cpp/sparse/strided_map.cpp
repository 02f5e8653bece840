// Kernel maps of layers whose outputs are new sites: with strides, and transposed. The pairs of an offset
// rise as its inputs do; the outputs of all offsets are joined, piece by piece of their range, to the new
// sites.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "sparse/geometry.h"
#include "sparse/kernel_map.h"

namespace sterna::sparse {
namespace {

using Ints = std::vector<int32_t>;
using Keys = std::vector<uint64_t>;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
constexpr size_t kPiece = 8192;  ///< Sites, or pairs, of a task.

Status bad(const std::string& what) { return Status(Code::kInvalidArgument, "[kernel map] " + what); }

/// What a layer says of one axis: o*stride + k*dilation = i + padding, or with is_transposed
/// i*stride + k*dilation = o + padding; low <= o <= high.
struct Rule {
  int64_t kernel, stride, padding, dilation, low, high;
  bool is_transposed;

  /// The output of input i under offset k, -1 if there is none.
  int64_t out(int64_t i, int64_t k) const {
    const int64_t t = is_transposed ? i * stride + k * dilation - padding : i + padding - k * dilation;
    const int64_t o = is_transposed ? t : t / stride;
    return t < 0 || o < low || o > high || (!is_transposed && o * stride != t) ? -1 : o;
  }
};

/// The outputs of each coordinate that there is on one axis.
struct Axis {
  struct Meeting {
    int32_t k, o;
  };
  Ints coordinate;  ///< Of each sorted site: the number of its coordinate.
  std::vector<size_t> begin{0};
  std::vector<Meeting> meetings;  ///< Of coordinate c: begin[c] .. begin[c + 1] - 1, k ascending.
  int32_t low = int32_t(kMost), high = -1;
};

Axis axis_of(const Sites::Impl& in, size_t a, const Rule& rule) {
  Axis axis;
  const size_t n = in.keys.size();
  Keys sorted(n);
  for (size_t i = 0; i < n; i++) sorted[i] = uint64_t(int64_t(in.at(i)[a]) - in.box.low[a]);
  const Ints order = sort_keys(sorted);
  axis.coordinate.resize(n);
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || sorted[i] != sorted[i - 1]) {
      for (int64_t k = 0; k < rule.kernel; k++) {
        const int64_t o = rule.out(in.box.low[a] + int64_t(sorted[i]), k);
        if (o < 0) continue;
        axis.meetings.push_back({int32_t(k), int32_t(o)});
        axis.low = std::min(axis.low, int32_t(o)), axis.high = std::max(axis.high, int32_t(o));
      }
      axis.begin.push_back(axis.meetings.size());
    }
    axis.coordinate[size_t(order[i])] = int32_t(axis.begin.size() - 2);
  }
  return axis;
}

/// The inputs of a cloud and the outputs that they meet, in a box of these.
struct Meetings {
  const Sites::Impl& in;
  const Geometry& g;
  std::vector<Axis> axes;
  Box box;

  /// How many there are of a site.
  uint64_t count(size_t site) const {
    uint64_t n = 1;
    for (const Axis& axis : axes) {
      const size_t c = size_t(axis.coordinate[site]);
      n *= axis.begin[c + 1] - axis.begin[c];
    }
    return n;
  }

  /// Calls to(k, key) for each of them, k ascending.
  template <class To>
  void each(size_t site, const To& to) const {
    const Axis::Meeting* list[kMaxAxes];
    size_t n[kMaxAxes], at[kMaxAxes] = {};
    for (size_t a = 0; a < axes.size(); a++) {
      const size_t c = size_t(axes[a].coordinate[site]);
      list[a] = axes[a].meetings.data() + axes[a].begin[c], n[a] = axes[a].begin[c + 1] - axes[a].begin[c];
      if (n[a] == 0) return;
    }
    const uint64_t batch = uint64_t(in.at(site)[0] - box.low[0]) * box.weight[0];
    for (;;) {
      uint64_t key = batch;
      size_t k = 0;
      for (size_t a = 0; a < axes.size(); a++) {
        const Axis::Meeting m = list[a][at[a]];
        key += uint64_t(m.o - box.low[a + 1]) * box.weight[a + 1];
        k = k * size_t(g.kernel[a]) + size_t(m.k);
      }
      to(k, key);
      size_t a = axes.size();
      while (a-- > 0 && ++at[a] == n[a]) at[a] = 0;
      if (a == ~size_t{0}) return;
    }
  }
};

/// Fills begin and input of the map, and the number of the output of each pair. All tasks of an offset write
/// one after the other's end, so that its pairs rise.
Result<std::unique_ptr<uint64_t[]>> fill(const Meetings& m, KernelMap::Impl& map, ThreadPool& pool) {
  const size_t n = m.in.keys.size(), volume = m.g.volume;
  const size_t n_slabs = std::clamp<size_t>(ceil_div(n, kPiece), 1, 1 + (size_t(1) << 22) / volume);
  const size_t slab = ceil_div(n, n_slabs);
  std::vector<size_t> at(n_slabs * volume);  // counts, then where the next pair goes
  const auto sites = [&](size_t task, const auto& call) {
    for (size_t i = task * slab; i < std::min((task + 1) * slab, n); i++) call(i);
  };
  pool.run(n_slabs, [&](size_t task) {
    sites(task, [&](size_t i) { m.each(i, [&](size_t k, uint64_t) { at[task * volume + k]++; }); });
  });
  size_t total = 0;
  for (size_t k = 0; k < volume; k++) {
    for (size_t s = 0; s < n_slabs; s++) total += std::exchange(at[s * volume + k], total);
    map.begin.push_back(total);
  }
  STERNA_RETURN_IF_ERROR(map.allocate(total));
  auto keys = std::make_unique_for_overwrite<uint64_t[]>(total);
  pool.run(n_slabs, [&](size_t task) {
    sites(task, [&](size_t i) {
      m.each(i, [&](size_t k, uint64_t key) {
        const size_t to = at[task * volume + k]++;
        keys[to] = key, map.input[to] = m.in.order[i];
      });
    });
  });
  return keys;
}

/// All numbers of sorted lists begin[k] .. begin[k + 1] - 1, once each: those of each piece of their range
/// are sorted apart.
Keys join(const uint64_t* keys, const std::vector<size_t>& begin, ThreadPool& pool) {
  const size_t volume = begin.size() - 1, n = begin.back();
  const size_t n_pieces = std::clamp<size_t>(n / kPiece, 1, 1 + (size_t(1) << 26) / volume);
  Keys bounds;  // a sample of the numbers, in order; every 8th bounds a piece
  for (size_t i = 0; i < 8 * n_pieces && n; i++) bounds.push_back(keys[i * n / (8 * n_pieces)]);
  sort_keys(bounds);
  std::vector<Keys> pieces(n_pieces);
  pool.run(n ? n_pieces : 0, [&](size_t task) {
    Keys& piece = pieces[task];
    for (size_t k = 0; k < volume; k++) {
      const uint64_t *const first = keys + begin[k], *const end = keys + begin[k + 1];
      const uint64_t* const from = task ? std::lower_bound(first, end, bounds[8 * task]) : first;
      const uint64_t* const to =
          task + 1 < n_pieces ? std::lower_bound(from, end, bounds[8 * task + 8]) : end;
      piece.insert(piece.end(), from, to);
    }
    sort_keys(piece);
    piece.erase(std::unique(piece.begin(), piece.end()), piece.end());
  });
  Keys all;
  for (const Keys& piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

/// Places of the pairs' outputs among the sorted numbers of the sites; pairs whose output is none of these
/// are taken out.
void find_places(const uint64_t* keys, const Keys& sites, KernelMap::Impl& map, ThreadPool& pool) {
  const size_t volume = map.volume();
  std::vector<size_t> kept(volume);
  pool.run(volume, [&](size_t k) {
    size_t to = map.begin[k], place = 0;
    for (size_t i = map.begin[k]; i < map.begin[k + 1] && !sites.empty(); i++) {
      while (place + 1 < sites.size() && sites[place] < keys[i]) place++;
      map.place[to] = int32_t(place), map.input[to] = map.input[i];
      to += sites[place] == keys[i];
    }
    kept[k] = to - map.begin[k];
  });
  size_t to = 0;
  for (size_t k = 0; k < volume; k++) {
    const size_t from = std::exchange(map.begin[k], to);
    if (from != to) {
      std::copy_n(&map.place[from], kept[k], &map.place[to]);
      std::copy_n(&map.input[from], kept[k], &map.input[to]);
    }
    to += kept[k];
  }
  map.begin[volume] = to;
}

/// floor(site / stride): the sorted numbers in a box of these.
Keys floors(const Sites::Impl& in, const Geometry& g, Box* box) {
  *box = in.box;
  const auto down = [&](int32_t c, size_t axis) { return axis ? c / g.stride[axis - 1] : c; };
  for (size_t a = 0; a < box->n_axes; a++)
    box->low[a] = down(box->low[a], a), box->high[a] = down(box->high[a], a);
  box->number();  // fits: it is no larger than that of the sites
  Keys keys(in.keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    int32_t cell[kMaxAxes];
    for (size_t a = 0; a < box->n_axes; a++) cell[a] = down(in.at(i)[a], a);
    keys[i] = box->key(cell);
  }
  sort_keys(keys);
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

std::string described(const Ints& shape, const Geometry& g) {
  return "shape " + text(shape) + ", kernel " + text(g.kernel) + ", stride " + text(g.stride) + ", padding " +
         text(g.padding) + ", dilation " + text(g.dilation);
}

/// An output grid of so many places on each axis, if such can be.
Result<Ints> grid(const std::vector<int64_t>& places, const Ints& shape, const Geometry& g) {
  Ints out;
  for (size_t a = 0; a < places.size(); a++) {
    if (places[a] < 1 || places[a] > kMost)
      return bad("the output grid would have " + std::to_string(places[a]) + " places on axis " +
                 std::to_string(a) + ", from " + described(shape, g));
    out.push_back(int32_t(places[a]));
  }
  return out;
}

/// The map to the outputs that meet an input by these rules, or, of those, to the ones in `only`, numbers in
/// `box`.
Result<KernelMap> map_of(const Sites& sites, const Geometry& g, const std::vector<Rule>& rules, Ints out_grid,
                         const Box* only_box, Keys only, ThreadPool& pool) {
  const Sites::Impl& in = sites.impl();
  Meetings m{in, g, std::vector<Axis>(g.dims()), only_box ? *only_box : in.box};
  pool.run(g.dims(), [&](size_t a) { m.axes[a] = axis_of(in, a + 1, rules[a]); });
  for (size_t a = 0; a < g.dims() && !only_box; a++) {
    m.box.low[a + 1] = std::min(m.axes[a].low, std::max(m.axes[a].high, 0));  // without outputs one cell
    m.box.high[a + 1] = std::max(m.axes[a].high, 0);
  }
  if (!m.box.number())
    return Status(Code::kUnsupported, "[kernel map] outputs lie in a box of more than 2^63 cells");
  uint64_t n_pairs = 0;
  for (size_t i = 0; i < in.keys.size() && n_pairs <= uint64_t(kMost); i++) n_pairs += m.count(i);
  if (n_pairs > uint64_t(kMost))
    return Status(Code::kUnsupported, "[kernel map] " + std::to_string(in.keys.size()) +
                                          " sites make more than 2^31 - 1 pairs, with " +
                                          described(in.shape, g));
  auto pairs = std::make_shared<KernelMap::Impl>(KernelMap::Impl{sites, sites});
  STERNA_ASSIGN(const auto keys, fill(m, *pairs, pool));
  if (!only_box) only = join(keys.get(), pairs->begin, pool);
  if (only.empty() && !in.keys.empty()) return bad("no output meets a site, with " + described(in.shape, g));
  find_places(keys.get(), only, *pairs, pool);
  STERNA_ASSIGN(pairs->out, sites_of(m.box, std::move(only), std::move(out_grid), in.batch_size));
  return KernelMap(std::move(pairs));
}

}  // namespace

Result<KernelMap> strided_map(const Sites& sites, const ConvShape& shape, SiteRule rule, ThreadPool& pool) {
  STERNA_ASSIGN(const Geometry g, Geometry::of(shape, sites.dims()));
  const bool is_floor = rule == SiteRule::kFloor;
  if (is_floor && !shape.padding.empty()) return bad("padding, got one with the rule floor, expected none");
  const Sites::Impl& in = sites.impl();
  std::vector<int64_t> places;
  for (size_t a = 0; a < g.dims(); a++) {
    const int64_t size = in.shape[a], stride = g.stride[a];
    const int64_t room = size + 2 * int64_t(g.padding[a]) - int64_t(g.dilation[a]) * (g.kernel[a] - 1) - 1;
    places.push_back(is_floor ? (size + stride - 1) / stride : room < 0 ? 0 : room / stride + 1);
  }
  STERNA_ASSIGN(Ints out_grid, grid(places, in.shape, g));
  Box box;
  Keys keys;
  if (is_floor) keys = floors(in, g, &box);
  std::vector<Rule> rules;
  for (size_t a = 0; a < g.dims(); a++) {
    const int64_t centre = g.kernel[a] % 2 ? g.kernel[a] / 2 * int64_t(g.dilation[a]) : 0;
    const int64_t low = is_floor ? box.low[a + 1] : 0, high = is_floor ? box.high[a + 1] : out_grid[a] - 1;
    rules.push_back(
        {g.kernel[a], g.stride[a], is_floor ? centre : g.padding[a], g.dilation[a], low, high, false});
  }
  return map_of(sites, g, rules, std::move(out_grid), is_floor ? &box : nullptr, std::move(keys), pool);
}

Result<KernelMap> transposed_map(const Sites& sites, const ConvShape& shape, const Ints& output_padding,
                                 ThreadPool& pool) {
  STERNA_ASSIGN(const Geometry g, Geometry::of(shape, sites.dims()));
  if (!output_padding.empty() && output_padding.size() != g.dims())
    return bad("output_padding, got " + text(output_padding) + ", expected " + std::to_string(g.dims()) +
               " numbers, one for each axis");
  const Sites::Impl& in = sites.impl();
  std::vector<int64_t> places;
  for (size_t a = 0; a < g.dims(); a++) {
    const int64_t more = output_padding.empty() ? 0 : output_padding[a];
    if (more < 0 || more >= std::max(g.stride[a], g.dilation[a]))
      return bad("output_padding, got " + text(output_padding) +
                 ", expected at least 0 and less than stride " + text(g.stride) + " or dilation " +
                 text(g.dilation));
    places.push_back((in.shape[a] - int64_t(1)) * g.stride[a] - 2 * int64_t(g.padding[a]) +
                     int64_t(g.dilation[a]) * (g.kernel[a] - 1) + 1 + more);
  }
  STERNA_ASSIGN(Ints out_grid, grid(places, in.shape, g));
  std::vector<Rule> rules;
  for (size_t a = 0; a < g.dims(); a++)
    rules.push_back({g.kernel[a], g.stride[a], g.padding[a], g.dilation[a], 0, out_grid[a] - 1, true});
  return map_of(sites, g, rules, std::move(out_grid), nullptr, {}, pool);
}

Result<KernelMap> inverse_map(const KernelMap& map) {
  const KernelMap::Impl& from = map.impl();
  const Ints &in_order = from.in.impl().order, &out_order = from.out.impl().order;
  Ints place(in_order.size());
  for (size_t i = 0; i < in_order.size(); i++) place[size_t(in_order[i])] = int32_t(i);
  auto inverse = std::make_shared<KernelMap::Impl>(KernelMap::Impl{from.out, from.in, from.begin});
  const size_t n = from.n_pairs();
  STERNA_RETURN_IF_ERROR(inverse->allocate(n));
  for (size_t i = 0; i < n; i++) {
    inverse->place[i] = place[size_t(from.input[i])];
    inverse->input[i] = out_order[size_t(from.place[i])];
  }
  return KernelMap(std::move(inverse));
}

}  // namespace sterna::sparse
