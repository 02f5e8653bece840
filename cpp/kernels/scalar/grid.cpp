// The g variants for scalar: the generic source on this folder's vectors.
#define STERNA_ISA scalar
#include "kernels/scalar/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/grid.inl.h"
// the list, defined from that source
#include "kernels/generic/grid.inc"
