// Vectors of the AVX-VNNI kernels: those of AVX2, whose dot4 uses vpdpbusd when it may.
#pragma once

#ifndef __AVXVNNI__
#error "compile this folder with its flags (cpp/cmake/isa_flags.cmake)"
#endif

#include "kernels/avx2/vec.h"
