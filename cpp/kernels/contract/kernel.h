// What every kernel is to the rest of the program: a family (which fixes the function's type), a variant, an
// instruction set, an algorithm, and a function. Kernels of one variant give the same bits, whatever their
// algorithm. Kernels know neither threads nor files nor allocation; they take sub-rectangles and write
// nothing else.
#pragma once

#include <cstdint>

namespace sterna::kernels {

enum class Family : uint8_t {
  qgemm,     ///< integer codes x int8 activations (qgemm.h)
  fgemm,     ///< f32/f16/bf16 weights x f32 activations (fgemm.h)
  tables,    ///< int8 activations -> what qgemm's "table" kernels look up (tables.h)
  quantize,  ///< f32 activations -> int8 (elementwise.h), and so on below
  rmsnorm,
  rope,
  softmax,
  attention,  ///< (attention.h), as merge and weigh
  merge,
  weigh,
  glu,
  add,
};

struct Kernel {
  Family family;
  const char* family_name;
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
