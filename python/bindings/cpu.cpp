// Instruction sets, kernels, self-test.
#include "sterna/cpu.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "errors.h"
#include "repr.h"
#include "sterna/choice.h"
#include "sterna/selftest.h"

namespace sterna::python {
namespace {

std::vector<KernelInfo> kernels() {
  std::vector<KernelInfo> list;
  check(list_kernels([&](const KernelInfo& k) { list.push_back(k); }));
  return list;
}

std::vector<IsaInfo> list_isas() { return {isas().begin(), isas().end()}; }

KernelExplanation explain(const std::string& variant, size_t rows, size_t depth,
                          const std::vector<size_t>& n_tokens) {
  return take(without_gil([&] { return explain_kernels(variant, rows, depth, n_tokens); }));
}

void selftest(const nb::typed<nb::callable, nb::object(nb::str)>& report) {
  Callbacks callbacks;
  check(callbacks.run(
      [&] { return selftest_kernels([&](const std::string& line) { callbacks.call(report, line); }); }));
}

}  // namespace

void init_cpu(nb::module_& m) {
  nb::class_<IsaInfo>(m, "IsaInfo", "An instruction set compiled into this build.")
      .def_ro("name", &IsaInfo::name)
      .def_ro("requires", &IsaInfo::requires_, "The CPU features it needs, in words.")
      .def_ro("supported", &IsaInfo::supported, "This machine can run it.")
      .def_prop_ro("active", &IsaInfo::active, "Kernels come from this set or from one below it.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"name", "supported", "active"});
      });
  nb::class_<KernelInfo>(m, "KernelInfo", "A kernel of this build.")
      .def_ro("name", &KernelInfo::name)
      .def_ro("family", &KernelInfo::family)
      .def_ro("variant", &KernelInfo::variant)
      .def_ro("isa", &KernelInfo::isa)
      .def_ro("supported", &KernelInfo::supported, "This machine can run it.")
      .def_ro("chosen", &KernelInfo::chosen, "It is the built-in choice for its variant.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"name", "isa", "supported", "chosen"});
      });
  nb::class_<KernelTiming>(m, "KernelTiming", "One kernel multiplying a matrix with a number of tokens.")
      .def_ro("kernel", &KernelTiming::kernel)
      .def_ro("n_tokens", &KernelTiming::n_tokens)
      .def_ro("seconds", &KernelTiming::seconds)
      .def_ro("gmac_per_s", &KernelTiming::gmac_per_s, "1e9 products per second.")
      .def_ro("gb_per_s", &KernelTiming::gb_per_s, "1e9 bytes of packed weights per second.")
      .def_ro("chosen", &KernelTiming::chosen, "In use for this number of tokens.")
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"kernel", "n_tokens", "seconds", "chosen"});
      });
  nb::class_<KernelExplanation>(m, "KernelExplanation", "What explain_kernels() returns.")
      .def_ro("why", &KernelExplanation::why, "\"measured\", \"cached\", \"builtin\" or \"forced\".")
      .def_ro("timings", &KernelExplanation::timings)
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"why", "timings"});
      });
  m.def("isas", &list_isas, "The instruction sets of this build, best first.");
  m.def(
      "force_isa", [](const std::string& name) { check(force_isa(name)); }, nb::arg("name"),
      "Use only `name` and the sets below it for what is loaded or packed from now on; \"auto\" lifts it.");
  m.def(
      "set_kernel_choice", [](const std::string& mode) { check(set_kernel_choice(mode)); }, nb::arg("mode"),
      "How kernels are chosen for what is loaded or packed from now on: \"measured\" (the default), "
      "\"fresh\", \"builtin\", or \"auto\": as STERNA_CHOICE says. Only changes speed.");
  m.def("explain_kernels", &explain, nb::arg("variant"), nb::arg("rows"), nb::arg("depth"),
        nb::arg("n_tokens"),
        "Time every kernel of a variant that can be chosen here on a matrix of arbitrary codes.");
  m.def("kernels", &kernels, "Every kernel of this build, best instruction set first.");
  m.def("cpu_name", &cpu_name, "The CPU's model name.");
  m.def("usable_cpus", &usable_cpus, "CPUs this process may use: affinity and cgroup quota.");
  m.def("selftest_kernels", &selftest, nb::arg("report"),
        "Run every kernel against the reference; `report` gets a line for each. See sterna.selftest().");
}

}  // namespace sterna::python
