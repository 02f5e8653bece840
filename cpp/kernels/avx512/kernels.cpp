// The table of avx512's kernels.
#define STERNA_ISA avx512
#define STERNA_KERNELS_INC "kernels/avx512/kernels.inc"
#include "kernels/generic/table.inl.h"
