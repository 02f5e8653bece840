// What every kernel is to the rest of the program: a family (which fixes the function's type), a variant, an
// instruction set, an algorithm, and a function. Kernels of one variant give the same bits, whatever their
// algorithm. Kernels know neither threads nor files nor allocation; they take sub-rectangles and write
// nothing else.
#pragma once

#include <cstdint>

namespace sterna::kernels {

#define STERNA_FAMILY(name, function, what) name,
enum class Family : uint8_t {
#include "kernels/contract/families.inc"
};
#undef STERNA_FAMILY

struct Kernel {
  Family family;
  const char* variant;    ///< Within the family: "w2_row", "f16", "silu", ...
  const char* algorithm;  ///< "" for the generic source; else what sets it apart: "table", "unpacked".
  const char* isa;
  void (*fn)();  ///< Cast by as<>() to the family's function type.
};

template <class Fn>
Fn* as(const Kernel& k) {
  return reinterpret_cast<Fn*>(k.fn);
}

}  // namespace sterna::kernels
