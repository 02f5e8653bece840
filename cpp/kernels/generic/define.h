// Turns a line STERNA_KERNEL(family, variant) of a list into the definition of that kernel's descriptor: the
// function family::variant of the ISA being compiled (STERNA_ISA) under the external name
// <family>_<variant>_<isa>. STERNA_KERNEL_AS(family, variant, algorithm) is the same for another way to
// compute the variant, the function family::variant_algorithm.
#pragma once

#include "kernels/contract/kernel.h"
#include "kernels/generic/names.h"

#define STERNA_DEFINE_KERNEL(family, variant, algorithm, function)                                          \
  namespace sterna::kernels {                                                                               \
  extern const Kernel STERNA_NAME(family, function, STERNA_ISA);                                            \
  const Kernel STERNA_NAME(family, function, STERNA_ISA){Family::family,                                    \
                                                         #family,                                           \
                                                         #variant,                                          \
                                                         algorithm,                                         \
                                                         STERNA_STR(STERNA_ISA),                            \
                                                         reinterpret_cast<void (*)()>(::family::function)}; \
  }
#define STERNA_KERNEL(family, variant) STERNA_DEFINE_KERNEL(family, variant, "", variant)
#define STERNA_KERNEL_AS(family, variant, algorithm) \
  STERNA_DEFINE_KERNEL(family, variant, #algorithm, variant##_##algorithm)
