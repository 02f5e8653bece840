// What results look like in an interactive session.
#pragma once

#include <nanobind/nanobind.h>

#include <initializer_list>

namespace nb = nanobind;

namespace sterna::python {

/// "<sterna.Token id=5 text='the'>": some attributes of an object, long values shortened.
nb::str repr_of(nb::handle self, std::initializer_list<const char*> attributes);

/// The same as an HTML table for notebooks; text from files is escaped.
nb::str html_of(nb::handle self, std::initializer_list<const char*> attributes);

}  // namespace sterna::python
