// Metadata and tensor descriptions of a GGUF file, whether or not the model in it is supported.
#include "sterna/gguf.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <variant>

#include "errors.h"

namespace sterna::python {
namespace {

nb::object to_python(bool v) { return nb::bool_(v); }
nb::object to_python(uint64_t v) { return nb::int_(v); }
nb::object to_python(int64_t v) { return nb::int_(v); }
nb::object to_python(double v) { return nb::float_(v); }
nb::object to_python(const std::string& v) { return to_str(v); }

template <class Array>  // std::vector or GgufNumbers
nb::object to_python(const Array& values) {
  nb::list list;
  for (const auto& v : values) list.append(to_python(static_cast<const typename Array::value_type&>(v)));
  return list;
}

GgufFile open(const nb::bytes& path) {
  const std::string name(path.c_str(), path.size());
  return take(without_gil([&] { return GgufFile::open(name); }));
}

nb::list keys(const GgufFile& file) {
  nb::list names;
  for (const GgufKey& key : file.keys()) names.append(to_str(key.name));
  return names;
}

nb::object value(const GgufFile& file, const std::string& key) {
  const GgufValue* found = file.find(key);
  if (!found) throw nb::key_error(key.c_str());
  return std::visit([](const auto& v) { return to_python(v); }, *found);
}

std::vector<GgufTensor> tensors(const GgufFile& file) {
  return {file.tensors().begin(), file.tensors().end()};
}

}  // namespace

void init_gguf(nb::module_& m) {
  nb::class_<GgufTensor>(m, "GgufTensor", "A tensor's description.")
      .def_prop_ro("name", [](const GgufTensor& t) { return to_str(t.name); })
      .def_ro("format", &GgufTensor::format)
      .def_ro("shape", &GgufTensor::shape, "The fastest dimension first, as in the file.")
      .def_ro("type_id", &GgufTensor::type_id)
      .def_ro("offset", &GgufTensor::offset, "Bytes from the start of the file.")
      .def_ro("bytes", &GgufTensor::bytes);
  nb::class_<GgufFile>(m, "GgufFile", "A validated GGUF file; see sterna.open_gguf().")
      .def_static("open", &open, nb::arg("path"))
      .def_prop_ro("path", [](const GgufFile& f) { return to_str(f.path()); })
      .def_prop_ro("version", &GgufFile::version)
      .def_prop_ro("file_bytes", &GgufFile::file_bytes, "All parts of a split file together.")
      .def("keys", &keys, nb::sig("def keys(self) -> list[str]"),
           "Names of the metadata keys, in the file's order.")
      .def("__getitem__", &value, nb::arg("key"),
           nb::sig(
               "def __getitem__(self, key: str) -> int | float | str | list[int] | list[float] | list[str]"),
           "A metadata value.")
      .def("tensors", &tensors, "Descriptions of all tensors, in the file's order.");
}

}  // namespace sterna::python
