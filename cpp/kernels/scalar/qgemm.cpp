// The integer-weight kernels of scalar: the generic source on this folder's vectors.
#define STERNA_ISA scalar
#include "kernels/scalar/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/tables.inl.h"
#include "kernels/generic/trits.inl.h"
// the lists, defined from that source
#include "kernels/generic/qgemm.inc"
#include "kernels/generic/trits.inc"
