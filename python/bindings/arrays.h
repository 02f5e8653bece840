// numpy arrays as they are: C-contiguous, of the exact type, never copied. (Arguments also need
// nb::arg().noconvert().)
#pragma once

#include <nanobind/ndarray.h>

#include <cstddef>
#include <span>

namespace sterna::python {

template <class T, size_t kDims>
using Array =
    nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<kDims>, nanobind::c_contig, nanobind::device::cpu>;

template <class A>
auto span_of(const A& array) {
  return std::span(array.data(), array.size());
}

}  // namespace sterna::python
