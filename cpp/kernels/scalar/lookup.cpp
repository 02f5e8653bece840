// Matmul by lookup for scalar: the generic source on this folder's vectors.
#define STERNA_ISA scalar
#include "kernels/scalar/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the lists, defined from that source
#include "kernels/generic/lookup.inc"
#include "kernels/generic/lookup2.inc"
