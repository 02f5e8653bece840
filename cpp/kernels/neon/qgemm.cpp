// The integer-weight kernels of neon: the generic source on this folder's vectors.
#define STERNA_ISA neon
#include "kernels/neon/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm.inl.h"
#include "kernels/generic/tables.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm.inc"
