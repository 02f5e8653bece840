// Defines kernels_<isa>, the null-terminated table of an ISA's kernels, from its kernels.inc
// (STERNA_KERNELS_INC).
#pragma once

#include "kernels/contract/kernel.h"
#include "kernels/generic/names.h"

namespace sterna::kernels {

#define STERNA_KERNEL(family, variant) extern const Kernel STERNA_NAME(family, variant, STERNA_ISA);
#define STERNA_TYPED_KERNEL(family, variant) STERNA_KERNEL(family, variant)
#define STERNA_KERNEL_AS(family, variant, algorithm) STERNA_KERNEL(family, variant##_##algorithm)
#include STERNA_KERNELS_INC
#undef STERNA_KERNEL

#define STERNA_KERNEL(family, variant) &STERNA_NAME(family, variant, STERNA_ISA),
extern const Kernel* const STERNA_TABLE(STERNA_ISA)[];
const Kernel* const STERNA_TABLE(STERNA_ISA)[] = {
#include STERNA_KERNELS_INC
    nullptr};
#undef STERNA_KERNEL
#undef STERNA_TYPED_KERNEL
#undef STERNA_KERNEL_AS

}  // namespace sterna::kernels
