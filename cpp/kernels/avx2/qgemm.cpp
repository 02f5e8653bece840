// The integer-weight kernels of avx2: the generic source on this folder's vectors.
#define STERNA_ISA avx2
#include "kernels/avx2/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm.inl.h"
#include "kernels/generic/tables.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm.inc"
