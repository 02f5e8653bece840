// The extension module; the package around it (python/sterna) is what people import.
#include <exception>

#include "errors.h"

NB_MODULE(_core, m) {
  // A forced unwinding that got as far as nanobind's handler; see or_park().
  nb::register_exception_translator([](const std::exception_ptr& error, void*) {
    if (!error) sterna::python::park();
    std::rethrow_exception(error);
  });
  // What a daemon thread uses when the interpreter ends is never freed; that is no leak.
  nb::set_leak_warnings(false);
  m.doc() = "The part of sterna that is written in C++. Use `import sterna`.";
  m.def("version", [] { return STERNA_VERSION; });
  sterna::python::init_cpu(m);
  sterna::python::init_gguf(m);
  sterna::python::init_matmul(m);
  sterna::python::init_options(m);
  sterna::python::init_threads(m);
  sterna::python::init_model(m);
  sterna::python::init_session(m);
  sterna::python::init_tokenizer(m);
  sterna::python::init_point_cloud(m);
}
