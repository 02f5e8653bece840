// Calls that run without the GIL, and Python callbacks in them. All survive the end of the interpreter.
#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace nb = nanobind;

namespace sterna::python {

/// Nothing happens in this thread any more.
[[noreturn]] inline void park() noexcept {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// `call`, a call of Python's C API that may wait for the GIL. While the interpreter ends, Python before 3.14
/// ends other threads in there by pthread_exit: a forced unwinding, which aborts the process when it meets a
/// noexcept function or a handler that goes on. Here it meets a handler that does not: the thread waits for
/// the end of the process, as Python 3.14 does by itself.
template <class F>
auto or_park(F&& call) noexcept {
  try {
    return call();
  } catch (...) {
    park();
  }
}

/// The GIL is free while this lives.
class GilReleased {
 public:
  GilReleased() = default;
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;
  ~GilReleased() { take_back(); }

  void take_back() noexcept {
    or_park([this] { PyEval_RestoreThread(state_); });
  }
  void release_again() noexcept { state_ = PyEval_SaveThread(); }

 private:
  PyThreadState* state_ = PyEval_SaveThread();
};

template <class F>
auto without_gil(F&& call) {
  GilReleased released;
  return call();
}

/// A call into the library that calls back into Python, from the same thread. An error raised there
/// (KeyboardInterrupt by a signal included) makes this and all later callbacks answer "stop"; it waits here
/// until the library has returned, and is then raised again.
class Callbacks {
 public:
  /// The value of `body`, which runs without the GIL.
  template <class F>
  auto run(F&& body) {
    auto result = [&] {
      GilReleased released;
      released_ = &released;
      return body();
    }();
    if (error_) std::rethrow_exception(error_);
    return result;
  }
  /// Inside run(): calls `function`. False if it or a signal handler raised, or if it returned False.
  template <class... Args>
  bool call(const nb::object& function, const Args&... args) noexcept {
    return with_gil([&] {
      const std::array<nb::object, sizeof...(Args)> objects{nb::cast(args, nb::rv_policy::copy)...};
      std::array<PyObject*, sizeof...(Args) + 1> pointers{};  // one more: the array must not be empty
      for (size_t i = 0; i < objects.size(); i++) pointers[i] = objects[i].ptr();
      PyObject* result = or_park(
          [&] { return PyObject_Vectorcall(function.ptr(), pointers.data(), objects.size(), nullptr); });
      if (!result) throw nb::python_error();
      const bool go_on = result != Py_False;
      or_park([&] { Py_DECREF(result); });
      return go_on;
    });
  }
  /// Inside run(), for what comes too often to wait for the GIL each time: runs signal handlers, and calls
  /// `function` if there is one.
  bool poll(const nb::object& function = {}) noexcept {
    constexpr auto kInterval = std::chrono::milliseconds(50);
    const auto now = std::chrono::steady_clock::now();
    if (now < next_poll_) return !error_;
    next_poll_ = now + kInterval;
    return function.is_valid() ? call(function) : with_gil([] { return true; });
  }

 private:
  template <class F>
  bool with_gil(F&& body) noexcept {
    if (error_) return false;
    released_->take_back();
    bool go_on = false;
    try {
      if (or_park(PyErr_CheckSignals) != 0) throw nb::python_error();
      go_on = body();
    } catch (const std::exception&) {  // Python's errors are among them
      error_ = std::current_exception();
    } catch (...) {  // see or_park()
      park();
    }
    released_->release_again();
    return go_on;
  }

  GilReleased* released_ = nullptr;
  std::exception_ptr error_;
  std::chrono::steady_clock::time_point next_poll_;
};

}  // namespace sterna::python
