// Vectors of the NEON kernels with the dot-product extension: those of plain NEON, whose dot4 uses sdot when
// it may.
#pragma once

#ifndef __ARM_FEATURE_DOTPROD
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include "kernels/neon/vec.h"
