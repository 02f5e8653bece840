// The tokenizer of a file alone. python/sterna/tokenizer.py gives it defaults and checks.
#include "sterna/tokenizer.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <vector>

#include "arrays.h"
#include "errors.h"

namespace sterna::python {
namespace {

Tokenizer load(const nb::bytes& path, const std::string& pre) {
  const std::string file(path.c_str(), path.size());
  return take(without_gil([&] { return Tokenizer::load(file, pre); }));
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, const nb::bytes& text, bool add_special,
                            bool parse_special) {
  const std::string_view view(text.c_str(), text.size());
  return take(without_gil([&] { return tokenizer.encode(view, add_special, parse_special); }));
}

nb::str decode(const Tokenizer& tokenizer, const Array<const int32_t, 1>& ids, bool special) {
  return to_str(take(without_gil([&] { return tokenizer.decode(span_of(ids), special); })));
}

nb::list warnings(const Tokenizer& tokenizer) {
  nb::list list;
  for (const std::string& w : tokenizer.warnings()) list.append(to_str(w));
  return list;
}

}  // namespace

void init_tokenizer(nb::module_& m) {
  nb::class_<Tokenizer>(m, "Tokenizer")
      .def_static("load", &load, nb::arg("path"), nb::arg("pre"))
      .def("encode", &encode, nb::arg("text"), nb::arg("add_special"), nb::arg("parse_special"))
      .def("decode", &decode, nb::arg("ids").noconvert(), nb::arg("special"))
      .def("__len__", &Tokenizer::size)
      .def_prop_ro("model", [](const Tokenizer& t) { return to_str(t.model()); })
      .def_prop_ro("pre", [](const Tokenizer& t) { return to_str(t.pre()); })
      .def_prop_ro("bos", &Tokenizer::bos)
      .def_prop_ro("eos", &Tokenizer::eos)
      .def_prop_ro("eot", &Tokenizer::eot)
      .def_prop_ro("add_bos", &Tokenizer::add_bos)
      .def_prop_ro("add_eos", &Tokenizer::add_eos)
      .def("is_eog", &Tokenizer::is_eog, nb::arg("id"))
      .def(
          "text", [](const Tokenizer& t, int32_t id) { return to_str(t.text(id)); }, nb::arg("id"))
      .def_prop_ro("warnings", &warnings, nb::sig("def warnings(self) -> list[str]"));
}

}  // namespace sterna::python
