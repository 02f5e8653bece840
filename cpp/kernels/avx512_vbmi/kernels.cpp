// The table of avx512_vbmi's kernels.
#define STERNA_ISA avx512_vbmi
#define STERNA_KERNELS_INC "kernels/avx512_vbmi/kernels.inc"
#include "kernels/generic/table.inl.h"
