// Sites, kernel maps and sparse convolutions on numpy arrays. python/sterna/sparse checks types and shapes.
#include "sterna/point_cloud.h"

#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "arrays.h"
#include "errors.h"

namespace sterna::python {
namespace {

using Ints = std::vector<int32_t>;

Sites make_sites(const Array<const int32_t, 2>& coords, const Ints& shape, int32_t batch_size) {
  return take(without_gil([&] { return Sites::create(span_of(coords), shape, batch_size); }));
}

KernelMap submanifold(const Sites& sites, const Ints& kernel, const Ints& dilation, const Threads& threads) {
  return take(without_gil([&] {
    return KernelMap::submanifold(sites, {kernel, {}, {}, dilation}, threads);
  }));
}

KernelMap strided(const Sites& sites, const Ints& kernel, const Ints& stride, const Ints& padding,
                  const Ints& dilation, bool floor, const Threads& threads) {
  const SiteRule rule = floor ? SiteRule::kFloor : SiteRule::kConv;
  return take(without_gil([&] {
    return KernelMap::strided(sites, {kernel, stride, padding, dilation}, threads, rule);
  }));
}

KernelMap transposed(const Sites& sites, const Ints& kernel, const Ints& stride, const Ints& padding,
                     const Ints& dilation, const Ints& output_padding, const Threads& threads) {
  return take(without_gil([&] {
    return KernelMap::transposed(sites, {kernel, stride, padding, dilation}, output_padding, threads);
  }));
}

KernelMap inverse(const KernelMap& map) {
  return take(without_gil([&] { return map.inverse(); }));
}

void copy_coords(const Sites& sites, const Array<int32_t, 2>& to) {
  if (to.size() != sites.coords().size())
    throw_error({Code::kInvalidArgument, "[sites] coords, got an array of another size"});
  std::copy(sites.coords().begin(), sites.coords().end(), to.data());
}

/// [2][n]: rows of inputs, rows of outputs.
void copy_pairs(const KernelMap& map, size_t offset, const Array<int32_t, 2>& to) {
  if (offset >= map.volume() || to.shape(0) != 2 || to.shape(1) != map.n_pairs(offset))
    throw_error({Code::kInvalidArgument, "[kernel map] pairs, got an array of another size"});
  map.pairs(offset, {to.data(), to.shape(1)}, {to.data() + to.shape(1), to.shape(1)});
}

SparseConv pack(const Array<const float, 3>& weights, const Array<const float, 1>& bias) {
  return take(without_gil([&] {
    return SparseConv::pack(span_of(weights), weights.shape(0), weights.shape(1), weights.shape(2),
                            span_of(bias));
  }));
}

/// residual: as large as out, or empty.
void run(const SparseConv& conv, const KernelMap& map, const Array<const float, 2>& x,
         const Array<float, 2>& out, const Threads& threads, bool relu,
         const Array<const float, 2>& residual) {
  check(without_gil([&] {
    return conv.run(map, span_of(x), span_of(out), threads, {relu, span_of(residual)});
  }));
}

SparsePool kind_of(bool is_max) { return is_max ? SparsePool::kMax : SparsePool::kAverage; }

void pool(const KernelMap& map, bool is_max, const Array<const float, 2>& x, const Array<float, 2>& out,
          const Threads& threads) {
  check(without_gil(
      [&] { return sparse_pool(map, kind_of(is_max), span_of(x), x.shape(1), span_of(out), threads); }));
}

void global_pool(const Sites& sites, bool is_max, const Array<const float, 2>& x, const Array<float, 2>& out,
                 const Threads& threads) {
  check(without_gil([&] {
    return sparse_global_pool(sites, kind_of(is_max), span_of(x), x.shape(1), span_of(out), threads);
  }));
}

}  // namespace

void init_point_cloud(nb::module_& m) {
  nb::class_<Sites>(m, "Sites")
      .def_static("create", &make_sites, nb::arg("coords").noconvert(), nb::arg("shape"),
                  nb::arg("batch_size"))
      .def_prop_ro("size", &Sites::size)
      .def_prop_ro("shape", [](const Sites& s) { return Ints(s.shape().begin(), s.shape().end()); })
      .def_prop_ro("batch_size", &Sites::batch_size)
      .def("copy_coords", &copy_coords, nb::arg("to").noconvert())
      .def("same_as", &Sites::same_as, nb::arg("other"));
  nb::class_<KernelMap>(m, "KernelMap")
      .def_static("submanifold", &submanifold, nb::arg("sites"), nb::arg("kernel"), nb::arg("dilation"),
                  nb::arg("threads"))
      .def_static("strided", &strided, nb::arg("sites"), nb::arg("kernel"), nb::arg("stride"),
                  nb::arg("padding"), nb::arg("dilation"), nb::arg("floor"), nb::arg("threads"))
      .def_static("transposed", &transposed, nb::arg("sites"), nb::arg("kernel"), nb::arg("stride"),
                  nb::arg("padding"), nb::arg("dilation"), nb::arg("output_padding"), nb::arg("threads"))
      .def("inverse", &inverse)
      .def_prop_ro("sites_in", [](const KernelMap& map) { return map.in(); })
      .def_prop_ro("sites_out", [](const KernelMap& map) { return map.out(); })
      .def_prop_ro("volume", &KernelMap::volume)
      .def_prop_ro("pairs", [](const KernelMap& map) { return map.n_pairs(); })
      .def(
          "n_pairs",
          [](const KernelMap& map, size_t offset) { return offset < map.volume() ? map.n_pairs(offset) : 0; },
          nb::arg("offset"))
      .def("copy_pairs", &copy_pairs, nb::arg("offset"), nb::arg("to").noconvert());
  nb::class_<SparseConv>(m, "SparseConv")
      .def_static("pack", &pack, nb::arg("weights").noconvert(), nb::arg("bias").noconvert())
      .def("run", &run, nb::arg("map"), nb::arg("x").noconvert(), nb::arg("out").noconvert(),
           nb::arg("threads"), nb::arg("relu"), nb::arg("residual").noconvert());
  m.def("sparse_pool", &pool, nb::arg("map"), nb::arg("is_max"), nb::arg("x").noconvert(),
        nb::arg("out").noconvert(), nb::arg("threads"));
  m.def("sparse_global_pool", &global_pool, nb::arg("sites"), nb::arg("is_max"), nb::arg("x").noconvert(),
        nb::arg("out").noconvert(), nb::arg("threads"));
}

}  // namespace sterna::python
