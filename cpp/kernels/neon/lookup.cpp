// Matmul by lookup for neon.
#define STERNA_ISA neon
#include "kernels/neon/vec.h"
// sums and lookups on those vectors
#include "kernels/neon/lookup.h"
// the source, for those
#include "kernels/generic/define.h"
#include "kernels/generic/lookup.inl.h"
// the lists, defined from that source
#include "kernels/generic/lookup.inc"
#include "kernels/generic/lookup2.inc"
