// Sparse convolution: maps of a worked example, equality with the plain loop on every instruction set, number
// of threads and size of tile, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "reference/sparse_conv.h"
#include "sparse/clouds.h"
#include "sparse/conv.h"
#include "sparse/kernel_map.h"
#include "sterna/sterna.h"

namespace sterna {
namespace {

using namespace testing;

struct Layer {
  ConvShape shape;
  bool is_subm;
  size_t in, out;
};

/// The outputs by the plain loop.
std::vector<float> reference_of(const KernelMap& map, const Layer& l, const std::vector<float>& weights,
                                const std::vector<float>& x) {
  const size_t dims = map.in().dims();
  reference::SparseConv conv{{}, {}, {}, {}, l.out, l.in, weights};
  std::map<reference::Cell, size_t> inputs;
  for (size_t i = 0; i < map.in().size(); i++) {
    const auto c = map.in().coords().subspan(i * (dims + 1), dims + 1);
    inputs[{c.begin(), c.end()}] = i;
  }
  const auto number = [](const Ints& list, size_t a, int32_t other) {
    return list.empty() ? other : list[a];
  };
  for (size_t a = 0; a < dims; a++) {
    conv.kernel.push_back(l.shape.kernel[a]);
    conv.stride.push_back(number(l.shape.stride, a, 1));
    conv.dilation.push_back(number(l.shape.dilation, a, 1));
    const int64_t centre = l.shape.kernel[a] / 2 * conv.dilation.back();
    conv.padding.push_back(l.is_subm ? centre : number(l.shape.padding, a, 0));
  }
  std::vector<float> y;
  for (size_t o = 0; o < map.out().size(); o++) {
    const auto c = map.out().coords().subspan(o * (dims + 1), dims + 1);
    const std::vector<float> row = conv.at({c.begin(), c.end()}, inputs, x);
    y.insert(y.end(), row.begin(), row.end());
  }
  return y;
}

/// By the public call on every instruction set and number of threads, and with every size of tile.
void check_equal(const KernelMap& map, const Layer& l, uint64_t seed) {
  const auto weights = random_floats(seed, l.out * map.volume() * l.in);
  const auto x = random_floats(seed + 1, map.in().size() * l.in);
  const auto conv = SparseConv::pack(weights, l.out, map.volume(), l.in);
  REQUIRE_MESSAGE(conv.ok(), conv.status().message());
  const std::vector<float> want = reference_of(map, l, weights, x);
  std::vector<float> got(want.size());
  for (const IsaInfo& isa : isas()) {
    if (!isa.supported) continue;
    CAPTURE(isa.name);
    REQUIRE(force_isa(isa.name).ok());
    for (const int n : {1, 3}) {
      std::fill(got.begin(), got.end(), -1.0f);
      const auto threads = Threads::create(n);
      REQUIRE(conv.value().run(map, x, got, threads.value()).ok());
      CHECK(got == want);
    }
  }
  REQUIRE(force_isa("auto").ok());
  SparseConv::Impl layer{l.out, map.volume(), l.in, (l.out + 15) / 16, {}, {}};
  auto packed = sparse::pack_weights(weights, layer);
  REQUIRE(packed.ok());
  layer.weights = std::move(packed.value());
  const auto threads = Threads::create(2);
  for (const size_t tile : {1, 2, 7, 64, 100000}) {
    CAPTURE(tile);
    std::fill(got.begin(), got.end(), -1.0f);
    REQUIRE(
        sparse::convolve(layer, map.impl(), x.data(), got.data(), *threads.value().pool(), {}, tile).ok());
    CHECK(got == want);
  }
}

}  // namespace

TEST_SUITE("sparse") {
  TEST_CASE("submanifold map of a worked example") {
    const Sites sites = sites_of({0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 3, 3, 0, 2, 2}, {4, 4});
    const auto map = submanifold(sites, {{3, 3}, {}, {}, {}});
    REQUIRE(map.ok());
    const std::vector<Pairs> want = {{{0, 2}, {2, 4}, {4, 3}},
                                     {{1, 2}},
                                     {},
                                     {{0, 1}},
                                     {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}},
                                     {{1, 0}},
                                     {},
                                     {{2, 1}},
                                     {{2, 0}, {3, 4}, {4, 2}}};
    for (size_t k = 0; k < 9; k++) {
      Pairs got = pairs(map.value(), k);
      std::sort(got.begin(), got.end());
      CHECK(got == want[k]);
    }
    CHECK(map.value().out().same_as(sites));
    CHECK(map.value().n_pairs() == 15);
  }

  TEST_CASE("output sites of a worked example") {
    const Sites sites = sites_of({0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 3, 3, 0, 2, 2}, {4, 4});
    const auto out = [&](const ConvShape& shape, SiteRule rule) {
      const auto map = strided_by(sites, shape, rule);
      REQUIRE(map.ok());
      const auto c = map.value().out().coords();
      CHECK(Ints(map.value().out().shape().begin(), map.value().out().shape().end()) == Ints{2, 2});
      return Ints(c.begin(), c.end());
    };
    CHECK(out({{2, 2}, {2, 2}, {}, {}}, SiteRule::kConv) == Ints{0, 0, 0, 0, 1, 1});
    CHECK(out({{3, 3}, {2, 2}, {1, 1}, {}}, SiteRule::kConv) == Ints{0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1});
    CHECK(out({{3, 3}, {2, 2}, {}, {}}, SiteRule::kFloor) == Ints{0, 0, 0, 0, 1, 1});
  }

  TEST_CASE("sparse convolution equals the plain loop") {
    const Sites cloud = sites_of(random_cells(1, {7, 6, 9}, 3, 0.25), {7, 6, 9}, 3);
    REQUIRE(cloud.size() > 200);
    for (const auto& [in, out] : {std::pair<size_t, size_t>{1, 1}, {4, 16}, {7, 33}}) {
      for (const ConvShape& shape :
           {ConvShape{{3, 3, 3}, {}, {}, {}}, ConvShape{{5, 1, 3}, {}, {}, {1, 1, 2}}}) {
        const auto map = submanifold(cloud, shape);
        REQUIRE(map.ok());
        check_equal(map.value(), {shape, true, in, out}, in);
      }
      for (const ConvShape& shape : {ConvShape{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {}},
                                     ConvShape{{2, 3, 1}, {1, 3, 2}, {2, 0, 1}, {2, 1, 1}}}) {
        const auto map = strided_by(cloud, shape);
        REQUIRE(map.ok());
        check_equal(map.value(), {shape, false, in, out}, out);
      }
    }
  }

  TEST_CASE("bias, residual and ReLU come after the chain, in this order") {
    const Sites cloud = sites_of(random_cells(2, {8, 8}, 1, 0.5), {8, 8});
    const auto map = submanifold(cloud, {{3, 3}, {}, {}, {}});
    REQUIRE(map.ok());
    const auto weights = random_floats(1, 5 * 9 * 3), bias = random_floats(2, 5);
    const auto x = random_floats(3, cloud.size() * 3), residual = random_floats(4, cloud.size() * 5);
    const auto threads = Threads::create(1);
    const auto plain = SparseConv::pack(weights, 5, 9, 3), biased = SparseConv::pack(weights, 5, 9, 3, bias);
    std::vector<float> want(cloud.size() * 5), got = want;
    REQUIRE(plain.value().run(map.value(), x, want, threads.value()).ok());
    for (size_t i = 0; i < want.size(); i++) want[i] = std::max(0.0f, want[i] + bias[i % 5] + residual[i]);
    got = residual;  // in place
    REQUIRE(biased.value().run(map.value(), x, got, threads.value(), {true, got}).ok());
    CHECK(got == want);
    CHECK(std::count(got.begin(), got.end(), 0.0f) > 0);
  }

  TEST_CASE("a number that is not finite reaches the outputs that its site meets, and no other") {
    const Sites sites = sites_of({0, 0, 0, 1, 0, 3}, {6});
    const auto map = submanifold(sites, {{3}, {}, {}, {}});
    const auto conv = SparseConv::pack(std::vector<float>(3), 1, 3, 1);
    const auto threads = Threads::create(1);
    std::vector<float> y(3);
    REQUIRE(
        conv.value().run(map.value(), std::vector<float>{1, INFINITY, 1}, y, threads.value(), {true}).ok());
    CHECK(std::isnan(y[0]));
    CHECK(std::isnan(y[1]));
    CHECK(y[2] == 0);
  }

  TEST_CASE("empty clouds and clouds of one site") {
    const auto threads = Threads::create(1);
    const auto conv = SparseConv::pack(random_floats(1, 2 * 27 * 3), 2, 27, 3);
    const ConvShape same{{3, 3, 3}, {}, {}, {}}, half{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}, {}};
    const Sites none = sites_of({}, {4, 4, 4}, 2), one = sites_of({1, 3, 0, 3}, {4, 4, 4}, 2);
    for (const auto& map : {submanifold(none, same), strided_by(none, half),
                            strided_by(none, {{3, 3, 3}, {2, 2, 2}, {}, {}}, SiteRule::kFloor)}) {
      REQUIRE_MESSAGE(map.ok(), map.status().message());
      CHECK(map.value().out().size() == 0);
      CHECK(map.value().out().batch_size() == 2);
      CHECK(conv.value().run(map.value(), {}, {}, threads.value()).ok());
    }
    const auto subm = submanifold(one, same), strided = strided_by(one, half);
    REQUIRE(subm.ok());
    REQUIRE(strided.ok());
    CHECK(subm.value().n_pairs() == 1);
    CHECK(strided.value().out().size() == 1);  // 3 is in the window of 1, and in that of 2, which is outside
    check_equal(subm.value(), {same, true, 3, 2}, 9);
    check_equal(strided.value(), {half, false, 3, 2}, 9);
  }

  TEST_CASE("sites that cannot be") {
    const auto says = [](const Ints& coords, const Ints& shape, int32_t batch, Code code,
                         const std::string& what) {
      const auto sites = Sites::create(coords, shape, batch);
      CHECK(sites.status().code() == code);
      CHECK_MESSAGE(sites.status().message().find(what) != std::string::npos, sites.status().message());
    };
    const Code bad = Code::kInvalidArgument;
    const int32_t most = std::numeric_limits<int32_t>::max();
    says({0, 1, 2, 0, 0, 0, 0, 1, 2}, {4, 4}, 1, bad, "coords[2]");
    says({0, 1, 2, 0, 1, 4}, {4, 4}, 1, bad, "coords[1], got (0, 1, 4)");
    says({0, -1, 2}, {4, 4}, 1, bad, "coords[0]");
    says({1, 1, 2}, {4, 4}, 1, bad, "batch index");
    says({-1, 1, 2}, {4, 4}, 1, bad, "batch index");
    says({0, 1}, {4, 4}, 1, bad, "rows of 3");
    says({}, {}, 1, bad, "1 to 4");
    says({}, {1, 1, 1, 1, 1}, 1, bad, "1 to 4");
    says({}, {4, 0}, 1, bad, "shape");
    says({}, {4, 4}, 0, bad, "batch_size");
    says({0, 0, 0, 0, 7, most - 1, most - 1, most - 1}, {most, most, most}, 8, Code::kUnsupported, "2^63");
  }

  TEST_CASE("maps and layers that cannot be") {
    const Sites sites = sites_of({0, 1, 1}, {4, 4});
    const auto says = [](const Status& status, const std::string& what) {
      CHECK(status.code() == Code::kInvalidArgument);
      CHECK_MESSAGE(status.message().find(what) != std::string::npos, status.message());
    };
    const auto strided = [&](const ConvShape& s, SiteRule r = SiteRule::kConv) {
      return strided_by(sites, s, r).status();
    };
    says(submanifold(sites, {{3, 2}, {}, {}, {}}).status(), "odd");
    says(submanifold(sites, {{3, 3}, {1, 1}, {}, {}}).status(), "stride or padding");
    says(strided({{3}, {}, {}, {}}), "kernel");
    says(strided({{3, 0}, {}, {}, {}}), "kernel");
    says(strided({{1 << 20, 2}, {}, {}, {}}), "2^20");
    says(strided({{3, 3}, {1, 0}, {}, {}}), "stride");
    says(strided({{3, 3}, {}, {0, -1}, {}}), "padding");
    says(strided({{3, 3}, {}, {}, {0, 1}}), "dilation");
    says(strided({{5, 1}, {}, {}, {}}), "output grid");
    says(strided({{1, 1}, {2, 2}, {}, {}}), "no output meets a site");
    says(strided({{3, 3}, {2, 2}, {1, 1}, {}}, SiteRule::kFloor), "padding");
    const std::vector<float> w(9);
    says(SparseConv::pack(w, 1, 9, 0).status(), "weights");
    says(SparseConv::pack(w, 1, 9, 2).status(), "weights");
    says(SparseConv::pack(w, 1, 9, 1, w).status(), "bias");
    const auto conv = SparseConv::pack(w, 1, 9, 1);
    const auto map = submanifold(sites, {{3, 3}, {}, {}, {}});
    const auto other = submanifold(sites, {{1, 3}, {}, {}, {}});
    const auto threads = Threads::create(1);
    std::vector<float> one(1), two(2);
    says(conv.value().run(other.value(), one, one, threads.value()), "map");
    says(conv.value().run(map.value(), two, one, threads.value()), "x, got 2");
    says(conv.value().run(map.value(), one, two, threads.value()), "out, got 2");
    says(conv.value().run(map.value(), one, one, threads.value(), {false, two}), "residual");
  }
}

}  // namespace sterna
