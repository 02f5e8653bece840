// Kernel maps of all kinds equal the plain search, in every offset's order, for every number of threads; what
// pooling gives equals its plain loop.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "fast.h"
#include "sparse/clouds.h"

namespace sterna {
namespace {

using namespace testing;
using Cell = std::vector<int64_t>;

Cell cell(const Sites& sites, size_t row) {
  const auto c = sites.coords().subspan(row * (sites.dims() + 1), sites.dims() + 1);
  return {c.begin(), c.end()};
}

std::map<Cell, int32_t> rows_of(const Sites& sites) {
  std::map<Cell, int32_t> rows;
  for (size_t i = 0; i < sites.size(); i++) rows[cell(sites, i)] = int32_t(i);
  return rows;
}

enum class Kind { kSubm, kConv, kFloor, kTransposed };

struct Layer {
  Kind kind;
  ConvShape shape;  ///< All lists given but for kSubm and kFloor.
  Ints output_padding{};
};

Result<KernelMap> make(const Sites& sites, const Layer& l, const Threads& threads) {
  switch (l.kind) {
    case Kind::kSubm:
      return KernelMap::submanifold(sites, l.shape, threads);
    case Kind::kTransposed:
      return KernelMap::transposed(sites, l.shape, l.output_padding, threads);
    default:
      return KernelMap::strided(sites, l.shape, threads,
                                l.kind == Kind::kFloor ? SiteRule::kFloor : SiteRule::kConv);
  }
}

/// On one axis: whether input i meets output o under offset k.
bool meets(const Layer& l, size_t a, int64_t i, int64_t o, int64_t k) {
  const int64_t kernel = l.shape.kernel[a], dilation = l.shape.dilation.empty() ? 1 : l.shape.dilation[a];
  const int64_t centre = kernel % 2 ? kernel / 2 * dilation : 0;
  switch (l.kind) {
    case Kind::kSubm:
      return i == o - centre + k * dilation;
    case Kind::kFloor:
      return i == o * l.shape.stride[a] - centre + k * dilation;
    case Kind::kConv:
      return i == o * l.shape.stride[a] - l.shape.padding[a] + k * dilation;
    default:
      return o == i * l.shape.stride[a] - l.shape.padding[a] + k * dilation;
  }
}

/// All sorted pairs of an offset, by looking at every two sites.
Pairs plain(const Layer& l, const Sites& in, const Sites& out, size_t k) {
  Cell offset(in.dims());
  for (size_t a = in.dims(); a-- > 0; k /= size_t(l.shape.kernel[a]))
    offset[a] = int64_t(k % size_t(l.shape.kernel[a]));
  Pairs found;
  for (size_t i = 0; i < in.size(); i++)
    for (size_t o = 0; o < out.size(); o++) {
      const Cell from = cell(in, i), to = cell(out, o);
      bool is = from[0] == to[0];
      for (size_t a = 0; a < in.dims() && is; a++) is = meets(l, a, from[a + 1], to[a + 1], offset[a]);
      if (is) found.push_back({int32_t(i), int32_t(o)});
    }
  return found;
}

/// The output sites of a layer, by trying all places of the output grid; sorted.
std::vector<Cell> plain_sites(const Layer& l, const Sites& in, const Sites& out) {
  std::vector<Cell> found;
  size_t volume = size_t(out.batch_size());
  for (const int32_t n : out.shape()) volume *= size_t(n);
  for (size_t p = 0; p < volume; p++) {
    Cell to(in.dims() + 1);
    size_t rest = p;
    for (size_t a = in.dims(); a-- > 0; rest /= size_t(out.shape()[a]))
      to[a + 1] = int64_t(rest % size_t(out.shape()[a]));
    to[0] = int64_t(rest);
    bool is_site = false;
    for (size_t i = 0; i < in.size() && !is_site; i++) {
      const Cell from = cell(in, i);
      is_site = from[0] == to[0];
      for (size_t a = 0; a < in.dims() && is_site; a++) {
        bool any = l.kind == Kind::kFloor && from[a + 1] / l.shape.stride[a] == to[a + 1];
        for (int64_t k = 0; k < l.shape.kernel[a] && l.kind != Kind::kFloor; k++)
          any |= meets(l, a, from[a + 1], to[a + 1], k);
        is_site = any;
      }
    }
    if (is_site) found.push_back(to);
  }
  return found;
}

Ints random_list(Random& r, size_t n, int low, int high) {
  Ints list(n);
  for (int32_t& x : list) x = between(r, low, high);
  return list;
}

Layer random_layer(Random& r, size_t dims) {
  Layer l{Kind(between(r, 0, 3)),
          {random_list(r, dims, 1, dims < 3 ? 5 : 3), {}, {}, random_list(r, dims, 1, 3)}};
  if (l.kind == Kind::kSubm)
    for (int32_t& k : l.shape.kernel) k |= 1;
  else
    l.shape.stride = random_list(r, dims, 1, 3);
  if (l.kind == Kind::kConv || l.kind == Kind::kTransposed) l.shape.padding = random_list(r, dims, 0, 2);
  if (l.kind == Kind::kTransposed)
    for (size_t a = 0; a < dims; a++)
      l.output_padding.push_back(between(r, 0, std::max(l.shape.stride[a], l.shape.dilation[a]) - 1));
  return l;
}

Pairs sorted(Pairs p) {
  std::sort(p.begin(), p.end());
  return p;
}

void check_same(const KernelMap& a, const KernelMap& b) {
  REQUIRE(a.volume() == b.volume());
  CHECK(std::equal(a.out().coords().begin(), a.out().coords().end(), b.out().coords().begin(),
                   b.out().coords().end()));
  for (size_t k = 0; k < a.volume(); k++) CHECK(pairs(a, k) == pairs(b, k));
}

}  // namespace

TEST_SUITE("sparse") {
  TEST_CASE("maps of random clouds and layers equal the plain search") {
    Random r(7);
    size_t tried = 0;
    for (int n = 0; n < (testing::fast() ? 150 : 600); n++) {
      const size_t dims = size_t(between(r, 1, 4));
      const Ints shape = random_list(r, dims, 1, dims == 1 ? 40 : dims == 2 ? 9 : 4);
      const Sites sites = sites_of(random_cells(r.next(), shape, 2, 0.05 + 0.5 * r.uniform()), shape, 2);
      const Layer l = random_layer(r, dims);
      const auto map = make(sites, l, one_thread());
      if (!map.ok()) {  // an empty grid, or no output that meets a site
        CHECK(map.status().code() == Code::kInvalidArgument);
        continue;
      }
      CAPTURE(n);
      CAPTURE(int(l.kind));
      const KernelMap& m = map.value();
      tried += m.n_pairs() > 0;
      if (l.kind != Kind::kSubm) {
        const std::vector<Cell> want = plain_sites(l, sites, m.out());
        REQUIRE(m.out().size() == want.size());
        for (size_t o = 0; o < want.size(); o++) CHECK(cell(m.out(), o) == want[o]);
      }
      const auto back = m.inverse();
      REQUIRE(back.ok());
      CHECK(back.value().out().same_as(m.in()));
      for (size_t k = 0; k < m.volume(); k++) {
        const Pairs want = plain(l, sites, m.out(), k);
        CHECK(sorted(pairs(m, k)) == want);
        Pairs exchanged;
        for (const auto& [i, o] : want) exchanged.push_back({o, i});
        CHECK(sorted(pairs(back.value(), k)) == sorted(exchanged));
      }
    }
    CHECK(tried > 80);
  }

  TEST_CASE("maps are the same for every number of threads") {
    const Sites sites = sites_of(random_cells(3, {30, 41, 23}, 1, 0.5), {30, 41, 23});
    REQUIRE(sites.size() > 3 * 4096);  // several tasks
    for (const Layer& l :
         {Layer{Kind::kSubm, {{3, 3, 3}, {}, {}, {}}}, Layer{Kind::kSubm, {{1, 5, 3}, {}, {}, {1, 2, 3}}},
          Layer{Kind::kConv, {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {}}},
          Layer{Kind::kFloor, {{3, 2, 3}, {2, 3, 2}, {}, {}}},
          Layer{Kind::kTransposed, {{2, 3, 2}, {2, 2, 2}, {0, 1, 0}, {}}, {}}}) {
      CAPTURE(int(l.kind));
      const auto want = make(sites, l, one_thread());
      REQUIRE(want.ok());
      const auto rows = rows_of(want.value().out());
      CHECK(rows.size() == want.value().out().size());
      for (const int n : {2, 3, 7}) {
        const auto threads = Threads::create(n);
        const auto got = make(sites, l, threads.value());
        REQUIRE(got.ok());
        check_same(got.value(), want.value());
      }
    }
  }

  TEST_CASE("a neighbour's number over the edge of the box is no neighbour") {
    const Sites sites = sites_of({0, 0, 3, 0, 1, 0, 0, 1, 3, 0, 2, 0}, {3, 4});
    const auto map = submanifold(sites, {{3, 3}, {}, {}, {}});
    REQUIRE(map.ok());
    CHECK(map.value().n_pairs() == 4 + 2 * 2);  // (0,3)-(1,3) and (1,0)-(2,0)
  }

  TEST_CASE("transposed maps that cannot be") {
    const Sites sites = sites_of({0, 1, 1}, {4, 4});
    const auto says = [&](const ConvShape& s, const Ints& output_padding, const std::string& what) {
      const auto map = KernelMap::transposed(sites, s, output_padding, one_thread());
      CHECK(map.status().code() == Code::kInvalidArgument);
      CHECK_MESSAGE(map.status().message().find(what) != std::string::npos, map.status().message());
    };
    says({{2, 2}, {2, 2}, {}, {}}, {2, 0}, "output_padding");
    says({{2, 2}, {2, 2}, {}, {}}, {-1, 0}, "output_padding");
    says({{2, 2}, {2, 2}, {}, {}}, {0}, "output_padding");
    says({{1, 1}, {1, 1}, {2, 2}, {}}, {}, "output grid");
    says({{1, 1}, {std::numeric_limits<int32_t>::max(), 1}, {}, {}}, {}, "output grid");
    const Ints many = random_cells(1, {60, 60}, 1, 1.0);
    const auto grown =
        KernelMap::transposed(sites_of(many, {60, 60}), {{1024, 1024}, {}, {}, {}}, {}, one_thread());
    CHECK(grown.status().code() == Code::kUnsupported);
    CHECK(grown.status().message().find("3600 sites make more than 2^31 - 1 pairs") != std::string::npos);
  }

  TEST_CASE("pooling equals its plain loop") {
    const size_t channels = 19;
    const Sites sites = sites_of(random_cells(5, {9, 8, 7}, 2, 0.4), {9, 8, 7}, 2);
    const auto map = strided_by(sites, {{3, 2, 3}, {2, 2, 2}, {1, 0, 1}, {}});
    REQUIRE(map.ok());
    auto x = random_floats(1, sites.size() * channels);
    x[3] = std::numeric_limits<float>::quiet_NaN(), x[4] = -INFINITY;
    const size_t n = map.value().out().size();
    std::vector<float> most(n * channels, -INFINITY), mean(n * channels), got(n * channels);
    std::vector<float> count(n);
    for (size_t k = 0; k < map.value().volume(); k++)
      for (const auto& [i, o] : pairs(map.value(), k)) {
        count[size_t(o)]++;
        for (size_t c = 0; c < channels; c++) {
          const float v = x[size_t(i) * channels + c];
          float& m = most[size_t(o) * channels + c];
          m = std::isnan(m) || std::isnan(v) ? NAN : std::max(m, v);
          mean[size_t(o) * channels + c] += v;
        }
      }
    for (size_t j = 0; j < mean.size(); j++) mean[j] /= count[j / channels];
    const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    for (const int threads : {1, 3}) {
      const Threads t = Threads::create(threads).value();
      REQUIRE(sparse_pool(map.value(), SparsePool::kMax, x, channels, got, t).ok());
      CHECK(std::equal(got.begin(), got.end(), most.begin(), same));
      REQUIRE(sparse_pool(map.value(), SparsePool::kAverage, x, channels, got, t).ok());
      CHECK(std::equal(got.begin(), got.end(), mean.begin(), same));
    }
    CHECK(std::count_if(most.begin(), most.end(), [](float v) { return std::isnan(v); }) > 0);
    CHECK(std::count_if(most.begin(), most.end(), [](float v) { return v < 0; }) > 0);
  }

  TEST_CASE("an output that meets no input pools to 0") {
    const Sites sites = sites_of({0, 0, 0, 1}, {4});
    const auto map = strided_by(sites, {{1}, {2}, {}, {}});
    const auto back = map.value().inverse();
    for (const SparsePool kind : {SparsePool::kMax, SparsePool::kAverage}) {
      std::vector<float> y(2, -1);
      REQUIRE(sparse_pool(back.value(), kind, std::vector<float>{-3}, 1, y, one_thread()).ok());
      CHECK(y == std::vector<float>{-3, 0});
    }
  }

  TEST_CASE("global pooling, whatever the order of the rows") {
    const Sites a = sites_of({0, 0, 0, 2, 2, 1, 2, 3}, {4}, 4),
                b = sites_of({2, 3, 0, 2, 2, 1, 0, 0}, {4}, 4);
    const std::vector<float> xa = {1, -5, 2, -7, 1e8f, 1, -1e8f, 2}, xb = {-1e8f, 2, 2, -7, 1e8f, 1, 1, -5};
    std::vector<float> y(8), z(8);
    REQUIRE(sparse_global_pool(a, SparsePool::kMax, xa, 2, y, one_thread()).ok());
    CHECK(y == std::vector<float>{2, -5, 0, 0, 1e8f, 2, 0, 0});
    REQUIRE(sparse_global_pool(a, SparsePool::kAverage, xa, 2, y, one_thread()).ok());
    REQUIRE(sparse_global_pool(b, SparsePool::kAverage, xb, 2, z, one_thread()).ok());
    CHECK(y == std::vector<float>{1.5f, -6, 0, 0, 0, 1.5f, 0, 0});
    CHECK(y == z);
    CHECK(sparse_global_pool(a, SparsePool::kMax, xa, 3, y, one_thread()).code() == Code::kInvalidArgument);
    CHECK(sparse_global_pool(a, SparsePool::kMax, xa, 2, {}, one_thread()).code() == Code::kInvalidArgument);
  }
}

}  // namespace sterna
