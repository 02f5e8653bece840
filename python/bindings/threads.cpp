// Threads that models share. python/sterna/threads.py checks their number.
#include "sterna/threads.h"

#include <nanobind/stl/optional.h>

#include <optional>

#include "errors.h"

namespace sterna::python {

void init_threads(nb::module_& m) {
  nb::class_<Threads>(m, "Threads")
      .def_static(
          "create",
          [](std::optional<int> n) { return take(without_gil([&] { return Threads::create(n); })); },
          nb::arg("n").none())
      .def_prop_ro("size", &Threads::size);
}

}  // namespace sterna::python
