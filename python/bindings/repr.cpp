// What results look like in an interactive session.
#include "repr.h"

namespace sterna::python {
namespace {

nb::object attribute(nb::handle self, const char* name) {
  nb::object shorten = nb::module_::import_("reprlib").attr("Repr")();
  for (const char* limit : {"maxstring", "maxother"}) shorten.attr(limit) = 72;
  return shorten.attr("repr")(self.attr(name));
}

}  // namespace

nb::str repr_of(nb::handle self, std::initializer_list<const char*> attributes) {
  nb::object text = nb::str("<sterna.") + self.type().attr("__name__");
  for (const char* name : attributes) {
    text += nb::str(" ") + nb::str(name) + nb::str("=") + attribute(self, name);
  }
  return nb::str(text + nb::str(">"));
}

nb::str html_of(nb::handle self, std::initializer_list<const char*> attributes) {
  const nb::object escape = nb::module_::import_("html").attr("escape");
  nb::object text = nb::str("<table>");
  for (const char* name : attributes) {
    text += nb::str("<tr><th style=\"text-align:left\">") + nb::str(name) +
            nb::str("</th><td style=\"text-align:left\">") + escape(attribute(self, name)) +
            nb::str("</td></tr>");
  }
  return nb::str(text + nb::str("</table>"));
}

}  // namespace sterna::python
