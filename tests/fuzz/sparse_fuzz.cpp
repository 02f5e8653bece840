// libFuzzer target: any clouds, kernel maps and sparse layers. A call fails with an error that says so, or
// gives what the definition says of every two sites.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "fuzz/input.h"
#include "sterna/sterna.h"

namespace sterna::fuzz {
namespace {

using Ints = std::vector<int32_t>;
constexpr int32_t kMost = std::numeric_limits<int32_t>::max();

/// Mostly small, sometimes anything.
int32_t size(Input& in, int32_t small) {
  const uint8_t kind = in.byte();
  return kind < 4 ? in.bits<int32_t>() : kind < 12 ? kMost - kind + 4 : 1 + kind % small;
}

Ints sizes(Input& in, size_t n, int32_t small) {
  Ints list(n);
  for (int32_t& x : list) x = size(in, small);
  return list;
}

/// Coordinates near both ends of the grid, now and then outside of it.
Ints coords(Input& in, const Ints& shape, int32_t batch_size) {
  Ints all;
  const size_t n = in.between(0, 24);
  for (size_t i = 0; i < n * (shape.size() + 1); i++) {
    const size_t axis = i % (shape.size() + 1);
    const int32_t most = std::max(axis ? shape[axis - 1] : batch_size, 1);
    const uint8_t kind = in.byte();
    all.push_back(kind == 255   ? in.bits<int32_t>()
                  : kind >= 200 ? most - 1 - std::min(kind % 4, most - 1)
                                : std::min(kind % 8, most - 1));
  }
  return all;
}

struct Layer {
  ConvShape shape;
  int kind;  ///< 0 submanifold, 1 conv, 2 floor, 3 transposed.
  Ints output_padding{};
};

Layer layer(Input& in, size_t dims) {
  Layer l{{sizes(in, dims, 3), {}, {}, {}}, in.byte() % 4};
  int64_t volume = 1;
  for (int32_t& k : l.shape.kernel) {
    if (volume * k > 256) k = 1;  // few offsets: a long search finds no more
    volume *= std::max(k, 1);
  }
  if (in.byte() % 2) l.shape.dilation = sizes(in, dims, 3);
  if (l.kind != 0 && in.byte() % 2) l.shape.stride = sizes(in, dims, 4);
  if (l.kind % 2 == 1 && in.byte() % 2) {
    l.shape.padding = sizes(in, dims, 4);
    for (int32_t& p : l.shape.padding) p -= p > 0;
  }
  if (l.kind == 3 && in.byte() % 2)
    for (size_t a = 0; a < dims; a++) l.output_padding.push_back(in.byte() % 4);
  return l;
}

Result<KernelMap> make(const Sites& sites, const Layer& l, const Threads& threads) {
  if (l.kind == 0) return KernelMap::submanifold(sites, l.shape, threads);
  if (l.kind == 3) return KernelMap::transposed(sites, l.shape, l.output_padding, threads);
  return KernelMap::strided(sites, l.shape, threads, l.kind == 1 ? SiteRule::kConv : SiteRule::kFloor);
}

/// The offset under which input i meets output o, -1 if there is none.
int64_t offset(const Layer& l, std::span<const int32_t> i, std::span<const int32_t> o) {
  if (i[0] != o[0]) return -1;
  int64_t k = 0;
  for (size_t a = 0; a + 1 < i.size(); a++) {
    const auto number = [&](const Ints& list, int64_t other) { return list.empty() ? other : list[a]; };
    const int64_t kernel = l.shape.kernel[a], stride = number(l.shape.stride, 1);
    const int64_t dilation = number(l.shape.dilation, 1);
    const int64_t centre = kernel % 2 ? kernel / 2 * dilation : 0;
    const int64_t padding = l.kind % 2 ? number(l.shape.padding, 0) : centre;
    const int64_t step =
        l.kind == 3 ? o[a + 1] + padding - i[a + 1] * stride : i[a + 1] + padding - o[a + 1] * stride;
    if (step < 0 || step % dilation || step / dilation >= kernel) return -1;
    k = k * kernel + step / dilation;
  }
  return k;
}

using Pair = std::array<int64_t, 3>;  ///< Offset, output, input.

void check_map(const KernelMap& map, const Layer& l, std::set<Pair>& pairs) {
  for (size_t k = 0; k < map.volume(); k++) {
    Ints in(map.n_pairs(k)), out(in.size());
    map.pairs(k, in, out);
    for (size_t p = 0; p < in.size(); p++) require(pairs.insert({int64_t(k), out[p], in[p]}).second);
  }
  const size_t width = map.in().dims() + 1;
  size_t n = 0;
  for (size_t o = 0; o < map.out().size(); o++)
    for (size_t i = 0; i < map.in().size(); i++) {
      const int64_t k = offset(l, map.in().coords().subspan(i * width, width),
                               map.out().coords().subspan(o * width, width));
      if (k < 0) continue;
      n++;
      require(pairs.count({k, int64_t(o), int64_t(i)}) == 1);
    }
  require(n == pairs.size());
}

void check_layers(Input& in, const KernelMap& map, const std::set<Pair>& pairs, const Threads& threads) {
  const size_t ci = in.between(1, 3), co = in.between(1, 18), n = map.out().size();
  std::vector<float> w(co * map.volume() * ci), x(map.in().size() * ci), y(n * co), want(n * co);
  for (float& v : w) v = in.number();
  for (float& v : x) v = in.number();
  const auto conv = SparseConv::pack(w, co, map.volume(), ci);
  require(conv.ok() && conv.value().run(map, x, y, threads).ok());
  for (const auto& [k, o, i] : pairs)
    for (size_t c = 0; c < co; c++)
      for (size_t j = 0; j < ci; j++) {
        float& acc = want[size_t(o) * co + c];
        acc = std::fma(x[size_t(i) * ci + j], w[(c * map.volume() + size_t(k)) * ci + j], acc);
      }
  for (size_t i = 0; i < y.size(); i++) require(y[i] == want[i] || (std::isnan(y[i]) && std::isnan(want[i])));
  std::vector<float> pooled(n * ci), all(size_t(map.in().batch_size()) * ci);
  require(
      sparse_pool(map, in.byte() % 2 ? SparsePool::kMax : SparsePool::kAverage, x, ci, pooled, threads).ok());
  require(sparse_global_pool(map.in(), SparsePool::kAverage, x, ci, all, threads).ok());
}

void run(Input& in) {
  static const Threads threads[] = {Threads::create(1).value(), Threads::create(2).value()};
  const Ints shape = sizes(in, in.byte() % 6, 9);
  const int32_t batch_size = in.byte() % 16 ? 1 + in.byte() % 3 : in.bits<int32_t>();
  const auto sites = Sites::create(coords(in, shape, batch_size), shape, batch_size);
  if (!sites.ok()) return require(!sites.status().message().empty());
  const Layer l = layer(in, shape.size());
  const Threads& t = threads[in.byte() % 2];
  const auto map = make(sites.value(), l, t);
  if (!map.ok()) return require(!map.status().message().empty());
  std::set<Pair> pairs;
  check_map(map.value(), l, pairs);
  const auto back = map.value().inverse();
  require(back.ok() && back.value().n_pairs() == pairs.size());
  if (batch_size <= 64) check_layers(in, map.value(), pairs, t);
}

}  // namespace
}  // namespace sterna::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sterna::fuzz::Input in(data, size);
  sterna::fuzz::run(in);
  return 0;
}
