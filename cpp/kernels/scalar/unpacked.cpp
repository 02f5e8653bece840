// Matmul of several tokens for scalar: the generic source on this folder's vectors.
#define STERNA_ISA scalar
#include "kernels/scalar/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/qgemm_unpacked.inl.h"
// the list, defined from that source
#include "kernels/generic/qgemm_unpacked.inc"
#include "kernels/generic/qgemm_unpacked8.inc"
