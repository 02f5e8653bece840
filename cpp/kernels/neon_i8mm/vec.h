// Vectors of the NEON kernels with the integer matrix extension: those of plain NEON, whose dot4 uses sdot.
#pragma once

#ifndef __ARM_FEATURE_MATMUL_INT8
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include "kernels/neon/vec.h"
