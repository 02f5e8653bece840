// Sequences of a model. python/sterna/session.py gives them checks and streams.
#include "sterna/session.h"

#include <nanobind/stl/vector.h>

#include <string>

#include "calls.h"

namespace sterna::python {
namespace {

void truncate(Session& session, size_t n) {
  check(without_gil([&] { return session.truncate(n); }));
}

Session fork(const Session& session) {
  return take(without_gil([&] { return session.fork(); }));
}

void save(const Session& session, const nb::bytes& path) {
  const std::string file(path.c_str(), path.size());
  check(without_gil([&] { return session.save(file); }));
}

}  // namespace

void init_session(nb::module_& m) {
  nb::class_<Session> session(m, "Session");
  def_calls(session)
      .def_prop_ro("tokens", &Session::tokens, nb::rv_policy::copy)
      .def("__len__", [](const Session& s) { return s.tokens().size(); })
      .def("truncate", &truncate, nb::arg("n"))
      .def("fork", &fork)
      .def("save", &save, nb::arg("path"));
}

}  // namespace sterna::python
