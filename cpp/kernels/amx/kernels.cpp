// The table of amx's kernels.
#define STERNA_ISA amx
#define STERNA_KERNELS_INC "kernels/amx/kernels.inc"
#include "kernels/generic/table.inl.h"
