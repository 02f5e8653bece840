// Matmul by lookup for neon_dotprod.
#define STERNA_ISA neon_dotprod
#include "kernels/neon_dotprod/vec.h"
// sums and lookups on those vectors
#include "kernels/neon/lookup.h"
// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the list, defined from that source
#include "kernels/generic/lookup.inc"
