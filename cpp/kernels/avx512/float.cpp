// The float kernels of avx512: the generic source on this folder's vectors.
#define STERNA_ISA avx512
#include "kernels/avx512/vec.h"
// the source, for those vectors
#include "kernels/generic/attention.inl.h"
#include "kernels/generic/define.h"
#include "kernels/generic/elementwise.inl.h"
#include "kernels/generic/fgemm.inl.h"
#include "kernels/generic/rows.inl.h"
// the list, defined from that source
#include "kernels/generic/float.inc"
