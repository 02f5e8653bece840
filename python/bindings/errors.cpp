// Which exception stands for which code.
#include "errors.h"

namespace sterna::python {
namespace {

nb::object exception_type(Code code) {
  switch (code) {
    case Code::kNotFound:
      return nb::borrow(PyExc_FileNotFoundError);
    case Code::kIo:
      return nb::borrow(PyExc_OSError);
    case Code::kUnsupported:
      return nb::module_::import_("sterna.errors").attr("UnsupportedError");
    case Code::kOutOfMemory:
      return nb::borrow(PyExc_MemoryError);
    case Code::kCancelled:
      return nb::borrow(PyExc_KeyboardInterrupt);
    case Code::kOk:
    case Code::kInvalidArgument:
    case Code::kCorrupt:
      break;
  }
  return nb::borrow(PyExc_ValueError);
}

}  // namespace

nb::str to_str(std::string_view text) {
  PyObject* s = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (!s) throw nb::python_error();
  return nb::steal<nb::str>(s);
}

void throw_error(const Status& status) {
  PyErr_SetObject(exception_type(status.code()).ptr(), to_str(status.message()).ptr());
  throw nb::python_error();
}

}  // namespace sterna::python
