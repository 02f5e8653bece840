// Matrices for measurements and the self-test: what a variant's kernels read, with made-up particulars.
#pragma once

#include "packing/packing.h"

namespace sterna::cpu {

/// Codes that the kernels of a variant read, with made-up zero point, block and codebook.
formats::CodeSpec example_spec(const kernels::QGemmVariant& variant);
/// The packing that they read.
const Packing& packing_of(const kernels::QGemmVariant& variant);

}  // namespace sterna::cpu
