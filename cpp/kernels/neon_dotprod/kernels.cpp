// The table of neon_dotprod's kernels.
#define STERNA_ISA neon_dotprod
#define STERNA_KERNELS_INC "kernels/neon_dotprod/kernels.inc"
#include "kernels/generic/table.inl.h"
