// What Model and Session are asked alike: both continue a sequence of tokens.
#pragma once

#include "sterna/model.h"

#include <nanobind/stl/optional.h>

#include <optional>

#include "arrays.h"
#include "errors.h"
#include "options.h"

namespace sterna::python {

using TokenIds = Array<const int32_t, 1>;
/// An optional Python callable; False, and only that, means stop.
template <class... Args>
using Callback = std::optional<nb::typed<nb::callable, nb::object(Args...)>>;

template <class Sequence>
void forward(Sequence& sequence, const TokenIds& tokens, const Array<float, 2>& out) {
  Callbacks callbacks;
  check(callbacks.run(
      [&] { return sequence.forward(span_of(tokens), span_of(out), [&] { return callbacks.poll(); }); }));
}

template <class Sequence>
GenerateResult generate(Sequence& sequence, const TokenIds& prompt, GenerateOptions options,
                        const Callback<Token>& on_token, const Callback<>& keep_going) {
  Callbacks callbacks;
  options.keep_going = [&] { return keep_going ? callbacks.poll(*keep_going) : callbacks.poll(); };
  return take(callbacks.run([&] {
    return sequence.generate(span_of(prompt), options, [&](const Token& token) {
      return on_token ? callbacks.call(*on_token, token) : callbacks.poll();
    });
  }));
}

/// Gives their Python class both.
template <class Class>
Class& def_calls(Class& c) {
  using Sequence = typename Class::Type;
  return c.def("forward", &forward<Sequence>, nb::arg("tokens").noconvert(), nb::arg("out").noconvert())
      .def("generate", &generate<Sequence>, nb::arg("prompt").noconvert(), nb::arg("options"), nb::kw_only(),
           nb::arg("on_token").none(), nb::arg("keep_going").none());
}

}  // namespace sterna::python
