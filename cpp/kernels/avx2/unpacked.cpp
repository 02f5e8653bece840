// Matmul of several tokens for avx2: the generic source on this folder's vectors and sums of quads.
#define STERNA_ISA avx2
#include "kernels/avx2/quads.h"
// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm_unpacked.inc"
