// The table of avx2's kernels.
#define STERNA_ISA avx2
#define STERNA_KERNELS_INC "kernels/avx2/kernels.inc"
#include "kernels/generic/table.inl.h"
