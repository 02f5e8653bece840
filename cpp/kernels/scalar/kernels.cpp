// The table of scalar's kernels.
#define STERNA_ISA scalar
#define STERNA_KERNELS_INC "kernels/scalar/kernels.inc"
#include "kernels/generic/table.inl.h"
