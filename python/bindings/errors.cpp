// Which exception stands for which code.
#include "errors.h"

namespace sterna::python {
namespace {

constexpr const char* kUnsupportedDoc =
    "The file or request is valid, but this version of Sterna, or this machine, cannot do it.";

// Lives as long as the process, like every exception type of an extension module.
PyObject* unsupported_error = nullptr;

PyObject* exception_type(Code code) {
  switch (code) {
    case Code::kNotFound: return PyExc_FileNotFoundError;
    case Code::kIo: return PyExc_OSError;
    case Code::kUnsupported: return unsupported_error;
    case Code::kOutOfMemory: return PyExc_MemoryError;
    case Code::kCancelled: return PyExc_KeyboardInterrupt;
    case Code::kOk:
    case Code::kInvalidArgument:
    case Code::kCorrupt: return PyExc_ValueError;
  }
  return PyExc_ValueError;
}

}  // namespace

nb::str to_str(std::string_view text) {
  PyObject* s = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (!s) throw nb::python_error();
  return nb::steal<nb::str>(s);
}

void throw_error(const Status& status) {
  PyErr_SetObject(exception_type(status.code()), to_str(status.message()).ptr());
  throw nb::python_error();
}

void init_errors(nb::module_& m) {
  unsupported_error = PyErr_NewExceptionWithDoc("sterna.UnsupportedError", kUnsupportedDoc, PyExc_RuntimeError, nullptr);
  if (!unsupported_error) throw nb::python_error();
  m.attr("UnsupportedError") = nb::borrow(unsupported_error);
}

}  // namespace sterna::python
