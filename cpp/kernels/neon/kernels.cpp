// The table of neon's kernels.
#define STERNA_ISA neon
#define STERNA_KERNELS_INC "kernels/neon/kernels.inc"
#include "kernels/generic/table.inl.h"
