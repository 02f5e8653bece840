// The table of avxvnni's kernels.
#define STERNA_ISA avxvnni
#define STERNA_KERNELS_INC "kernels/avxvnni/kernels.inc"
#include "kernels/generic/table.inl.h"
