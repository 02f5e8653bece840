// The extension module; the package around it (python/sterna) is what people import.
#include "errors.h"

namespace sterna::python {
void init_tokenizer(nb::module_& m);
}

NB_MODULE(_core, m) {
  m.doc() = "The part of sterna that is written in C++. Use `import sterna`.";
  m.def("version", [] { return STERNA_VERSION; });
  sterna::python::init_cpu(m);
  sterna::python::init_gguf(m);
  sterna::python::init_matmul(m);
  sterna::python::init_model(m);
  sterna::python::init_tokenizer(m);
}
