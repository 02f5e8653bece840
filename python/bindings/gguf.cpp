// Metadata and tensors of a GGUF file, whether or not the model in it is supported.
#include "sterna/gguf.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "errors.h"
#include "repr.h"
#include "sterna/matmul.h"

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

nb::object to_python(const GgufValue& value) {
  return std::visit([](const auto& v) { return to_python(v); }, value);
}

// --- the file ---------------------------------------------------------------------------------------------

GgufFile open(nb::handle path) {
  const bool is_text = nb::isinstance<nb::str>(path) || nb::isinstance<nb::bytes>(path);
  if (!is_text && !nb::hasattr(path, "__fspath__")) {
    throw nb::type_error("path, got another type, expected a str, bytes or a path");
  }
  const nb::bytes encoded(nb::module_::import_("os").attr("fsencode")(path));
  const std::string name(encoded.c_str(), encoded.size());
  return take(without_gil([&] { return GgufFile::open(name); }));
}

/// Keys may be anything, as in a dict; nothing for what is not text.
std::optional<std::string_view> utf8(nb::handle key) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_Check(key.ptr()) ? PyUnicode_AsUTF8AndSize(key.ptr(), &size) : nullptr;
  if (text) return std::string_view(text, static_cast<size_t>(size));
  PyErr_Clear();  // a lone surrogate
  return {};
}

const GgufValue* find(const GgufFile& file, nb::handle key) {
  const auto text = utf8(key);
  return text ? file.find(*text) : nullptr;
}

[[noreturn]] void throw_key_error(nb::handle key) {
  const nb::object error = nb::handle(PyExc_KeyError)(key);  // not by SetObject: it unpacks tuples and None
  PyErr_SetObject(PyExc_KeyError, error.ptr());
  throw nb::python_error();
}

nb::object value(const GgufFile& file, nb::handle key) {
  const GgufValue* found = find(file, key);
  if (!found) throw_key_error(key);
  return to_python(*found);
}

nb::object get(const GgufFile& file, nb::handle key, nb::handle otherwise) {
  const GgufValue* found = find(file, key);
  return found ? to_python(*found) : nb::borrow(otherwise);
}

nb::list keys(const GgufFile& file) {
  nb::list list;
  for (const GgufKey& key : file.keys()) list.append(to_str(key.name));
  return list;
}

nb::list values(const GgufFile& file) {
  nb::list list;
  for (const GgufKey& key : file.keys()) list.append(to_python(key.value));
  return list;
}

nb::list items(const GgufFile& file) {
  nb::list list;
  for (const GgufKey& key : file.keys()) list.append(nb::make_tuple(to_str(key.name), to_python(key.value)));
  return list;
}

std::vector<const GgufTensor*> tensors(const GgufFile& file) {
  std::vector<const GgufTensor*> list;
  for (const GgufTensor& tensor : file.tensors()) list.push_back(&tensor);
  return list;
}

// --- a tensor ---------------------------------------------------------------------------------------------

using ReadOnly = nb::ndarray<nb::numpy, nb::ro>;
using Floats = nb::ndarray<nb::numpy, float>;

/// As numpy orders it.
std::vector<size_t> numpy_shape(const GgufTensor& t) { return {t.shape.rbegin(), t.shape.rend()}; }

ReadOnly data(nb::pointer_and_handle<GgufTensor> self) {
  const GgufTensor& t = *self.p;
  const bool f32 = t.format == "F32", f16 = t.format == "F16";
  const auto shape = f32 || f16 ? numpy_shape(t) : std::vector<size_t>{t.bytes};
  nb::dlpack::dtype type = nb::dtype<uint8_t>();
  if (f32) type = nb::dtype<float>();
  if (f16) type = {static_cast<uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
  // The array owns the tensor, and the tensor the file.
  return ReadOnly(t.data, shape.size(), shape.data(), self.h, nullptr, type);
}

Floats dequantize_tensor(const GgufTensor& t) {
  const auto shape = numpy_shape(t);
  size_t n = 1;
  for (const size_t length : shape) n *= length;  // fits: the file has bytes for every block of elements
  std::unique_ptr<float[]> out(new (std::nothrow) float[n]);
  if (!out) throw_error({Code::kOutOfMemory, "[dequantize] " + t.name + ", out of memory"});
  check(without_gil([&] {
    return dequantize(t.format.c_str(), {t.data, t.bytes}, t.shape[0], {out.get(), n});
  }));
  float* const result = out.get();
  const nb::capsule owner(out.release(), [](void* p) noexcept { delete[] static_cast<float*>(p); });
  return Floats(result, shape.size(), shape.data(), owner);
}

const GgufTensor* tensor(const GgufFile& file, nb::handle name) {
  const auto text = utf8(name);
  const GgufTensor* found = text ? file.find_tensor(*text) : nullptr;
  if (!found) throw_key_error(name);
  return found;
}

void init_tensor(nb::module_& m) {
  nb::class_<GgufTensor>(m, "GgufTensor", "A tensor in a GGUF file.")
      .def_prop_ro("name", [](const GgufTensor& t) { return to_str(t.name); })
      .def_ro("format", &GgufTensor::format)
      .def_ro("shape", &GgufTensor::shape,
              "The fastest dimension first, as in the file; numpy's is reversed.")
      .def_ro("type_id", &GgufTensor::type_id)
      .def_ro("offset", &GgufTensor::offset, "Bytes from the start of the file.")
      .def_ro("bytes", &GgufTensor::bytes)
      .def_prop_ro("data", &data, nb::sig("def data(self) -> numpy.typing.NDArray[typing.Any]"),
                   "The tensor as it is in the file, read-only and without a copy: F32 and F16 as arrays of "
                   "these types in numpy's shape, everything else as one-dimensional uint8. It is the mapped "
                   "file, which it keeps open: a program that shortens the file meanwhile ends this one by "
                   "SIGBUS when the lost bytes are touched; numpy.array(tensor.data) is a copy.")
      .def("dequantize", &dequantize_tensor,
           nb::sig("def dequantize(self) -> numpy.typing.NDArray[numpy.float32]"),
           "The values as a new float32 array in numpy's shape, the file's reversed.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"name", "format", "shape", "bytes"});
      });
}

}  // namespace

void init_gguf(nb::module_& m) {
  init_tensor(m);
  nb::class_<GgufFile>(m, "GgufFile",
                       "A validated GGUF file: a mapping from metadata keys to values, in the file's "
                       "order, and tensors. Made by sterna.open_gguf().")
      .def_static("open", &open, nb::arg("path").none(), nb::sig("def open(path: object) -> GgufFile"),
                  "See sterna.open_gguf().")
      .def_prop_ro("path", [](const GgufFile& f) { return to_str(f.path()); })
      .def_prop_ro("version", &GgufFile::version)
      .def_prop_ro("file_bytes", &GgufFile::file_bytes, "All parts of a split file together.")
      .def("keys", &keys, nb::sig("def keys(self) -> list[str]"))
      .def("values", &values, nb::sig("def values(self) -> list[typing.Any]"))
      .def("items", &items, nb::sig("def items(self) -> list[tuple[str, typing.Any]]"))
      .def("get", &get, nb::arg("key").none(), nb::arg("default") = nb::none(),
           nb::sig("def get(self, key: object, default: typing.Any = None) -> typing.Any"))
      .def("__getitem__", &value, nb::arg("key").none(),
           nb::sig("def __getitem__(self, key: str) -> typing.Any"),
           "A metadata value: int, float, bool, str or a list of one of these.")
      .def(
          "__contains__", [](const GgufFile& f, nb::handle key) { return find(f, key) != nullptr; },
          nb::arg("key").none(), nb::sig("def __contains__(self, key: object) -> bool"))
      .def("__len__", [](const GgufFile& f) { return f.keys().size(); })
      .def(
          "__iter__", [](const GgufFile& f) { return nb::iter(keys(f)); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[str]"))
      .def("tensors", &tensors, nb::rv_policy::reference_internal,
           "All tensors, in the file's order. They keep the file open.")
      .def("tensor", &tensor, nb::arg("name").none(), nb::rv_policy::reference_internal,
           nb::sig("def tensor(self, name: str) -> GgufTensor"), "One of them.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"path", "version", "file_bytes"});
      });
}

}  // namespace sterna::python
