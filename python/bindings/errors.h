// Status codes as Python exceptions, and Python callbacks in calls that run without the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include "sterna/status.h"

namespace nb = nanobind;

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

template <class F>
auto without_gil(F&& call) {
  nb::gil_scoped_release release;
  return call();
}

/// Lets the library call Python. An error raised there (KeyboardInterrupt by a signal included) makes this
/// and all later callbacks answer "stop"; it waits here until the library has returned, and is raised again
/// by rethrow().
class Callbacks {
 public:
  /// Runs pending signal handlers, then `body`, with the GIL. False if either raised, or if `body` returned
  /// Python's False.
  template <class F>
  bool call(F&& body) noexcept {
    if (error_) return false;
    nb::gil_scoped_acquire gil;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      return body().ptr() != Py_False;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }
  /// The same for callbacks that come too often to wait for the GIL each time.
  template <class F>
  bool poll(F&& body) noexcept {
    constexpr auto kInterval = std::chrono::milliseconds(50);
    const auto now = std::chrono::steady_clock::now();
    if (now < next_poll_) return !error_;
    next_poll_ = now + kInterval;
    return call(body);
  }
  bool poll() noexcept {
    return poll([] { return nb::none(); });
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
  std::chrono::steady_clock::time_point next_poll_;
};

void init_model(nb::module_& m);
void init_gguf(nb::module_& m);
void init_matmul(nb::module_& m);
void init_cpu(nb::module_& m);

}  // namespace sterna::python
