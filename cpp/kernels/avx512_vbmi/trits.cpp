// The kernels of avx512_vbmi: ternary codes, five in a byte.
#define STERNA_ISA avx512_vbmi
#include "kernels/avx512_vbmi/vec.h"
// the source, for those vectors
#include "kernels/generic/define.h"
#include "kernels/generic/trits.inl.h"
// the list, defined from that source
#include "kernels/generic/trits.inc"
