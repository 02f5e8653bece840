// Turns a line STERNA_KERNEL(family, variant) of a list into the definition of that kernel's descriptor: the
// function family::variant of the ISA being compiled (STERNA_ISA) under the external name
// <family>_<variant>_<isa>.
#pragma once

#include "kernels/contract/kernel.h"
#include "kernels/generic/names.h"

#define STERNA_KERNEL(family, variant)                                                                    \
  namespace sterna::kernels {                                                                             \
  extern const Kernel STERNA_NAME(family, variant, STERNA_ISA);                                           \
  const Kernel STERNA_NAME(family, variant, STERNA_ISA){Family::family, #family, #variant,                \
                                                        STERNA_STR(STERNA_ISA),                           \
                                                        reinterpret_cast<void (*)()>(::family::variant)}; \
  }
