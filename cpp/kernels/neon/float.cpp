// The float kernels of neon: the generic source on this folder's vectors.
#define STERNA_ISA neon
#include "kernels/neon/vec.h"
// the source, for those vectors
#include "kernels/generic/attention.inl.h"
#include "kernels/generic/define.h"
#include "kernels/generic/elementwise.inl.h"
#include "kernels/generic/fgemm.inl.h"
#include "kernels/generic/rows.inl.h"
// the list, defined from that source
#include "kernels/generic/float.inc"
