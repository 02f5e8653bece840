// Turns a line of a list into the definition of a kernel's descriptor, for the ISA being compiled
// (STERNA_ISA). STERNA_KERNEL(family, variant) is the function family::variant, STERNA_TYPED_KERNEL(family,
// variant) the function family::run<> of the variant's typed entry (contract/variants.inc), and
// STERNA_KERNEL_AS(family, variant, algorithm) another way to compute that: family::algorithm<>. The
// descriptor's external name is <family>_<variant>[_<algorithm>]_<isa>.
#pragma once

#include "kernels/contract/kernel.h"
#include "kernels/contract/variants.h"
#include "kernels/generic/names.h"

#define STERNA_DEFINE_KERNEL(family, variant, algorithm, symbol, function)                                  \
  namespace sterna::kernels {                                                                               \
  extern const Kernel STERNA_NAME(family, symbol, STERNA_ISA);                                              \
  const Kernel STERNA_NAME(family, symbol, STERNA_ISA){                                                     \
      Family::family, #variant, algorithm, STERNA_STR(STERNA_ISA), reinterpret_cast<void (*)()>(function)}; \
  }
#define STERNA_KERNEL(family, variant) STERNA_DEFINE_KERNEL(family, variant, "", variant, ::family::variant)
#define STERNA_TYPED_KERNEL(family, variant) \
  STERNA_DEFINE_KERNEL(family, variant, "", variant, ::family::run<variants::family::variant>)
#define STERNA_KERNEL_AS(family, variant, algorithm)                       \
  STERNA_DEFINE_KERNEL(family, variant, #algorithm, variant##_##algorithm, \
                       ::family::algorithm<variants::family::variant>)
