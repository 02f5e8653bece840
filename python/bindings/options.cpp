// The table of options, of which python/sterna makes checks, documentation and flags.
#include "options.h"

#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>

#include <variant>

#include "errors.h"
#include "repr.h"

namespace sterna::python {
namespace {

nb::object default_value(const OptionInfo& o) {
  return std::visit(
      [](const auto& value) -> nb::object {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>)
          return nb::none();
        else
          return nb::cast(value);
      },
      o.value);
}

nb::tuple choices(const OptionInfo& o) {
  nb::list list;
  for (std::string_view choice : o.bounds.choices)
    if (!choice.empty()) list.append(choice);
  return nb::tuple(list);
}

nb::list all() {
  nb::list list;
  for (const OptionInfo& o : options()) list.append(nb::cast(o));
  return list;
}

}  // namespace

void init_options(nb::module_& m) {
  nb::class_<OptionInfo>(m, "OptionInfo", "An option of load() or generate().")
      .def_ro("call", &OptionInfo::call, "\"load\" or \"generate\".")
      .def_ro("name", &OptionInfo::name)
      .def_ro("type", &OptionInfo::type, "\"int\", \"float\", \"bool\", \"str\" or \"seed\".")
      .def_prop_ro("default", &default_value, nb::sig("def default(self) -> bool | int | float | str | None"))
      .def_prop_ro(
          "low", [](const OptionInfo& o) { return o.bounds.low; }, "The least value; -inf: any.")
      .def_prop_ro(
          "high", [](const OptionInfo& o) { return o.bounds.high; }, "The greatest value; inf: any.")
      .def_prop_ro(
          "open", [](const OptionInfo& o) { return o.bounds.open; }, "`low` itself is not allowed.")
      .def_prop_ro("choices", &choices, nb::sig("def choices(self) -> tuple[str, ...]"),
                   "The only values, as words; none: any.")
      .def_ro("flags", &OptionInfo::flags, "Of a command line, with a space between.")
      .def_ro("placeholder", &OptionInfo::placeholder, "What follows a flag; empty after a switch.")
      .def_ro("help", &OptionInfo::help)
      .def("__repr__", [](nb::handle self) {
        return repr_of(self, {"call", "name", "type", "default"});
      });
  m.def("options", &all, nb::sig("def options() -> list[OptionInfo]"), "All of them.");
}

}  // namespace sterna::python
