// Options as Python gives them: a dict of those that are not the default. Its items are the lines of
// sterna/options.inc, and `stop`; callbacks are arguments of their own.
#pragma once

#include "sterna/options.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace sterna::python {

namespace nb = nanobind;

/// Reads items of a dict and counts them: every item must have been asked for.
class DictReader {
 public:
  explicit DictReader(nb::handle source) : dict_(PyDict_Check(source.ptr()) ? source.ptr() : nullptr) {}

  template <class T>
  void read(const char* name, T& value) {
    PyObject* item = dict_ ? PyDict_GetItemString(dict_, name) : nullptr;
    if (!item) return;
    n_read_++;
    fine_ = fine_ && nb::try_cast<T>(nb::handle(item), value);
  }
  bool all_read() const { return dict_ && fine_ && n_read_ == PyDict_Size(dict_); }

 private:
  PyObject* dict_;
  Py_ssize_t n_read_ = 0;
  bool fine_ = true;
};

}  // namespace sterna::python

namespace nanobind::detail {

template <>
struct type_caster<sterna::LoadOptions> {
  NB_TYPE_CASTER(sterna::LoadOptions, const_name("dict[str, typing.Any]"))
  bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
    sterna::python::DictReader dict(source);
#define STERNA_LOAD_OPTION(type, name, ...) dict.read(#name, value.name);
#include "sterna/options.inc"
    return dict.all_read();
  }
};

template <>
struct type_caster<sterna::GenerateOptions> {
  NB_TYPE_CASTER(sterna::GenerateOptions, const_name("dict[str, typing.Any]"))
  bool from_python(handle source, uint8_t, cleanup_list*) noexcept {
    sterna::python::DictReader dict(source);
#define STERNA_GENERATE_OPTION(type, name, ...) dict.read(#name, value.name);
#include "sterna/options.inc"
    dict.read("stop", value.stop);
    return dict.all_read();
  }
};

}  // namespace nanobind::detail
