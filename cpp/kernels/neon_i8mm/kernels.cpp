// The table of neon_i8mm's kernels.
#define STERNA_ISA neon_i8mm
#define STERNA_KERNELS_INC "kernels/neon_i8mm/kernels.inc"
#include "kernels/generic/table.inl.h"
