// The raw low-bit matmul and the decoding of GGUF weight formats, on numpy arrays without copies.
#include "sterna/matmul.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>

#include "arrays.h"
#include "errors.h"

namespace sterna::python {
namespace {

PackedWeights pack(const Array<const uint8_t, 2>& codes, const Array<const float, 1>& scales, int bits,
                   int zero, size_t block, const std::optional<Array<const int8_t, 1>>& codebook) {
  PackOptions options;
  options.bits = bits;
  options.zero = zero;
  options.block = block;
  if (codebook) options.codebook = span_of(*codebook);
  return take(without_gil([&] {
    return PackedWeights::pack(span_of(codes), span_of(scales), codes.shape(0), codes.shape(1), options);
  }));
}

PackedWeights pack_bcq(const Array<const uint8_t, 3>& codes, const Array<const float, 1>& scales,
                       size_t block) {
  return take(without_gil([&] {
    return PackedWeights::pack_bcq(span_of(codes), span_of(scales), codes.shape(0), codes.shape(1),
                                   codes.shape(2), block);
  }));
}

/// `threads`: a number of own ones, or shared ones.
template <class T>
void matmul(const PackedWeights& w, const Array<const float, 2>& x, const Array<float, 2>& out,
            const T& threads, int act_bits) {
  check(without_gil([&] { return w.matmul(span_of(x), span_of(out), x.shape(0), threads, act_bits); }));
}

void dequantize_rows(const std::string& format, const Array<const uint8_t, 1>& data, size_t row_elems,
                     const Array<float, 2>& out) {
  if (format.find('\0') != std::string::npos) {
    throw_error({Code::kUnsupported, "[dequantize] format, got a name with a NUL byte"});
  }
  check(without_gil([&] { return dequantize(format.c_str(), span_of(data), row_elems, span_of(out)); }));
}

}  // namespace

void init_matmul(nb::module_& m) {
  nb::class_<PackedWeights>(m, "PackedWeights")
      .def_prop_ro("rows", &PackedWeights::rows)
      .def_prop_ro("depth", &PackedWeights::depth)
      .def_prop_ro("bits", &PackedWeights::bits)
      .def_prop_ro("bytes", &PackedWeights::bytes)
      .def_prop_ro("kernel", &PackedWeights::kernel)
      .def("matmul", &matmul<int>, nb::arg("x").noconvert(), nb::arg("out").noconvert(), nb::arg("threads"),
           nb::arg("act_bits"))
      .def("matmul", &matmul<Threads>, nb::arg("x").noconvert(), nb::arg("out").noconvert(),
           nb::arg("threads"), nb::arg("act_bits"));
  m.def("pack", &pack, nb::arg("codes").noconvert(), nb::arg("scales").noconvert(), nb::arg("bits"),
        nb::arg("zero"), nb::arg("block"), nb::arg("codebook").noconvert().none());
  m.def("pack_bcq", &pack_bcq, nb::arg("codes").noconvert(), nb::arg("scales").noconvert(), nb::arg("block"));
  m.def("dequantize", &dequantize_rows, nb::arg("format"), nb::arg("data").noconvert(), nb::arg("row_elems"),
        nb::arg("out").noconvert());
}

}  // namespace sterna::python
