// Status codes as Python exceptions, and what the files of this folder share.
#pragma once

#include <nanobind/nanobind.h>

#include <string_view>
#include <utility>

#include "gil.h"
#include "sterna/status.h"

namespace sterna::python {

/// Text from files may hold any bytes; what is not UTF-8 becomes U+FFFD.
nb::str to_str(std::string_view text);

/// Throws the Python exception for an error.
[[noreturn]] void throw_error(const Status& status);

inline void check(const Status& status) {
  if (!status.ok()) throw_error(status);
}

template <class T>
T take(Result<T> result) {
  check(result.status());
  return std::move(result.value());
}

void init_options(nb::module_& m);
void init_threads(nb::module_& m);
void init_model(nb::module_& m);
void init_session(nb::module_& m);
void init_tokenizer(nb::module_& m);
void init_gguf(nb::module_& m);
void init_matmul(nb::module_& m);
void init_point_cloud(nb::module_& m);
void init_cpu(nb::module_& m);

}  // namespace sterna::python
